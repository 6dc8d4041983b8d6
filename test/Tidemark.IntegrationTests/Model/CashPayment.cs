namespace Tidemark;

internal sealed class CashPayment : Payment;
