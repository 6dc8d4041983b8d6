namespace Tidemark.EfSuite;

/// <summary>Kept as text.</summary>
internal enum OrderStatus
{
    Placed,
    Shipped,
    Returned,
}
