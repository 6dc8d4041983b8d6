using Npgsql;

namespace Tidemark.Cli.Doctor;

/// <summary>A node as configured.</summary>
/// <param name="Name">The name that findings use.</param>
/// <param name="Settings">How to connect to it.</param>
/// <param name="PoolSize">Maximum number of connections in each of its two pools; <c>null</c> if not configured.</param>
internal sealed record DoctorNode(string Name, NpgsqlConnectionStringBuilder Settings, int? PoolSize = null);
