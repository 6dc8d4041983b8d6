namespace Tidemark.EfSuite;

/// <summary>A complex type: part of its employee, without identity.</summary>
internal sealed class Contact
{
    public required string Email { get; set; }

    public string? Phone { get; set; }
}
