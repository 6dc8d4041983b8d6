namespace Tidemark;

internal sealed class CardPayment : Payment;
