namespace Tidemark.EfSuite;

/// <summary>Stored as text.</summary>
internal enum OrderStatus
{
    Placed,
    Shipped,
    Returned,
}
