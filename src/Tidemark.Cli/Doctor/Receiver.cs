namespace Tidemark.Cli.Doctor;

internal sealed record Receiver(string? Status, int? ReceivedTimeline, string? SlotName, string? Application, string? SenderHost,
    int? SenderPort);
