namespace Tidemark.EfSuite;

internal sealed class Employee
{
    public int Id { get; set; }

    public required string FirstName { get; set; }

    public required string LastName { get; set; }

    /// <summary>Not mapped: EF Core creates the whole employee to call it.</summary>
    public string FullName => $"{FirstName} {LastName}";

    public string? Title { get; set; }

    public DateOnly BornOn { get; set; }

    public DateTime HiredAt { get; set; }

    public TimeOnly StartsAt { get; set; }

    public int? ManagerId { get; set; }

    public Employee? Manager { get; set; }

    public required Contact Contact { get; set; }

    public List<Employee> Reports { get; } = [];

    public List<Order> Orders { get; } = [];
}
