namespace Tidemark.Cli.Doctor;

/// <summary>An extension in the database.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">The version that the database has.</param>
/// <param name="IsAvailable">Whether the server's machine has its control file, and so its files.</param>
/// <param name="IsInstallable">
/// Whether it could be created there in this version. One that was created long ago works without that: scripts of old versions are no
/// longer delivered.
/// </param>
internal sealed record Extension(string Name, string Version, bool IsAvailable, bool IsInstallable);
