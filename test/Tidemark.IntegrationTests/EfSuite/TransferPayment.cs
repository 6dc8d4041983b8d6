namespace Tidemark.EfSuite;

internal sealed class TransferPayment : Payment
{
    public required string Iban { get; set; }

    public string? Reference { get; set; }
}
