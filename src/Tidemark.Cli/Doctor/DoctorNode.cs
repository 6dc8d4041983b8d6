using Npgsql;

namespace Tidemark.Cli.Doctor;

/// <summary>A node as it was given.</summary>
/// <param name="Name">How findings call it.</param>
/// <param name="Settings">How it is reached.</param>
/// <param name="PoolSize">Connections at most in each of its two pools; null where no configuration says.</param>
internal sealed record DoctorNode(string Name, NpgsqlConnectionStringBuilder Settings, int? PoolSize = null);
