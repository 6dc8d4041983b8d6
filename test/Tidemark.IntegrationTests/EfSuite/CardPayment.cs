namespace Tidemark.EfSuite;

internal sealed class CardPayment : Payment
{
    public required string LastDigits { get; set; }
}
