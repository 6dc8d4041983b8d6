namespace Tidemark.Cli.Doctor;

/// <summary>An extension in the database.</summary>
/// <param name="Name">The name of the extension.</param>
/// <param name="Version">The version installed in the database.</param>
/// <param name="IsAvailable">Whether the server's machine has the control file of the extension, and therefore its other files.</param>
/// <param name="IsInstallable">
/// Whether this version could be created on that machine. An extension that was created long ago works without that, since packages no
/// longer contain the scripts of old versions.
/// </param>
internal sealed record Extension(string Name, string Version, bool IsAvailable, bool IsInstallable);
