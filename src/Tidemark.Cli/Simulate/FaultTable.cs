using System.Globalization;
using Tidemark.Verification;

namespace Tidemark.Cli.Simulate;

/// <summary>
/// Injects each fault in turn, and counts the seeds until it is detected. This proves that the checker can fail.
/// </summary>
internal sealed class FaultTable(Terminal terminal, Form form)
{
    private static readonly Table<FaultRecord> Faults = new(
        new("No.", fault => fault.Number.ToString(CultureInfo.InvariantCulture), IsNumber: true),
        new("Fault", fault => fault.Name),
        new("Seeds until detected", fault => fault.Caught ? Words.Count(fault.Seeds) : $"not in "
            + $"{Words.Count(fault.Seeds)}", IsNumber: true),
        new("Detected by", fault => fault.Caught ? Shortened(fault.By!) : fault.Stopped ? "stopped" : "-"));

    public ExitCode Run(SimulationCampaignOptions options, CancellationToken cancellationToken)
    {
        var faults = Enum.GetValues<PlantedFault>().Where(fault => fault != PlantedFault.None).ToList();
        var hunts = terminal.WithProgress("Injecting faults", report =>
        {
            List<FaultRecord> found = [];
            foreach (var fault in faults.TakeWhile(_ => !cancellationToken.IsCancellationRequested))
            {
                report((double)found.Count / faults.Count, $"{fault}");
                found.Add(FaultRecord.Of(SimulationCampaign.Hunt(fault, options, cancellationToken)));
            }

            return found;
        });
        var missed = hunts.Where(hunt => !hunt.Caught && !hunt.Stopped).ToList();
        var isStopped = hunts.Count < faults.Count || hunts.Any(hunt => hunt.Stopped);
        Write(hunts, missed, isStopped);
        return missed.Count > 0 ? ExitCode.Finding : isStopped ? ExitCode.WrongUsage : ExitCode.Success;
    }

    private void Write(List<FaultRecord> hunts, List<FaultRecord> missed, bool isStopped)
    {
        if (form == Form.Json) Json.Write(terminal, new { Faults = hunts });
        else if (form == Form.Markdown) Faults.WriteMarkdown(terminal.Out, hunts);
        else
        {
            Faults.Write(terminal, hunts);
            terminal.Line();
            if (missed.Count > 0) terminal.Line($"Not detected: {string.Join(", ", missed.Select(hunt => hunt.Name))}.", Tone.Bad);
            else if (!isStopped) terminal.Line($"All {hunts.Count} faults were detected.", Tone.Good);
        }

        if (isStopped) terminal.Error.WriteLine("tidemark: interrupted. The remaining faults were not injected.");
    }

    private static string Shortened(string text)
    {
        const int Most = 60;
        var line = text.Split('\n')[0];
        return line.Length <= Most ? line : $"{line[..(Most - 1)]}…";
    }

    private sealed record FaultRecord(string Name, bool Caught, int Seeds, int Number, bool Stopped, SimulationFinding? Finding, int? Seed,
        string? Text)
    {
        [System.Text.Json.Serialization.JsonIgnore]
        public string? By => Finding == SimulationFinding.Violation ? "the checker" : Text;

        public static FaultRecord Of(FaultHunt hunt) =>
            new($"{hunt.Fault}", hunt.IsCaught, hunt.Seeds, (int)hunt.Fault, hunt.IsCancelled, hunt.By?.Finding, hunt.By?.Seed,
            hunt.By?.Text);
    }
}
