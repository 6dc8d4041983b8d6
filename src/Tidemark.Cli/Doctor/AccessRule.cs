namespace Tidemark.Cli.Doctor;

/// <summary>A line of pg_hba.conf that admits connections without authentication (<c>trust</c>).</summary>
internal sealed record AccessRule(int Line, string Type, string Databases, string Roles, string Address);
