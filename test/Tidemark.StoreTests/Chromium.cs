using System.Diagnostics;
using Microsoft.Playwright;

namespace Tidemark;

/// <summary>
/// The Chromium or Chrome of this machine. If none is found, installs one. If that fails, the tests fail.
/// </summary>
public sealed class Chromium : IAsyncLifetime
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

    private static readonly string[] UsualFolders =
    [
        "/opt/google/chrome/chrome",
        "/snap/bin/chromium",
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
    ];

    // The browser must send requests only to the store. The sandbox does not work as root.
    private static readonly string[] Flags =
    [
        "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--no-first-run",
    ];

    private IPlaywright _playwright = null!;

    public IBrowser Browser { get; private set; } = null!;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        var program = await FindAsync() ?? await InstallAsync();
        Browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = program, Args = Flags });
    }

    public async ValueTask DisposeAsync()
    {
        if (Browser is not null) await Browser.DisposeAsync();
        _playwright.Dispose();
    }

    /// <summary>
    /// Returns the first browser that runs. Some distributions install a script of that name that only prints how to install the browser.
    /// </summary>
    private async Task<string?> FindAsync()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        var candidates = folders.SelectMany(folder => Names.Select(name => Path.Combine(folder, name)))
            .Concat(UsualFolders)
            .Append(_playwright.Chromium.ExecutablePath);
        foreach (var candidate in candidates.Where(File.Exists))
            if (await RunsAsync(candidate, "--version")) return candidate;
        return null;
    }

    private async Task<string> InstallAsync()
    {
        var hasApt = Environment.IsPrivilegedProcess && await RunsAsync("apt-get", "update")
            && await RunsAsync("apt-get", "install", "-y", "chromium");
        if (!hasApt) Microsoft.Playwright.Program.Main(["install", "chromium"]);
        return await FindAsync() ?? throw new InvalidOperationException(
            "The browser tests need Chromium or Chrome, which was not found in PATH or in the usual folders. Neither apt-get (as root) nor "
            + "Playwright's installer could install it. Run one of: apt-get install chromium, dnf install chromium or brew install --cask "
            + "chromium.");
    }

    private static async Task<bool> RunsAsync(string program, params string[] arguments)
    {
        try
        {
            using var process =
                Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
            await Task.WhenAll(process.StandardOutput.ReadToEndAsync(Stop), process.StandardError.ReadToEndAsync(Stop));
            await process.WaitForExitAsync(Stop);
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
