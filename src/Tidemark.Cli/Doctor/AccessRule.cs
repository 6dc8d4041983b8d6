namespace Tidemark.Cli.Doctor;

/// <summary>A line of pg_hba.conf that lets in without a question.</summary>
internal sealed record AccessRule(int Line, string Type, string Databases, string Roles, string Address);
