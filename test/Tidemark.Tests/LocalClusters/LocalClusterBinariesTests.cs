using Tidemark.Testing;

namespace Tidemark;

/// <summary>Tests the search for PostgreSQL binaries on simulated machines.</summary>
public sealed class LocalClusterBinariesTests : IDisposable
{
    private readonly string _machine = Directory.CreateTempSubdirectory("tidemark-machine-").FullName;
    private readonly List<string> _reported = [];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_machine, recursive: true);

    [Fact]
    public async Task A_machine_without_postgres_and_package_managers_gets_every_way_to_get_it()
    {
        var error = await Should.ThrowAsync<LocalClusterException>(() => ObtainAsync(Machine(), major: 17));

        error.Message.ShouldContain("PostgreSQL 17 was not found on this machine");
        error.Message.ShouldContain("apt-get: not in PATH");
        error.Message.ShouldContain("npm: not in PATH");
        foreach (var way in new[] { "TIDEMARK_PG_BIN", "apt-get install postgresql-17", "dnf install", "brew install postgresql@17",
            "Node.js", "TIDEMARK_CACHE" })
            error.Message.ShouldContain(way);
        _reported[0].ShouldBe("Looking for PostgreSQL 17");
        _reported.ShouldContain("PostgreSQL 17 is not installed; fetching it");
    }

    [Fact]
    public async Task A_chosen_folder_ends_the_search_even_when_it_is_wrong()
    {
        Install("path", "16.3");
        var error = await Should.ThrowAsync<LocalClusterException>(() =>
            ObtainAsync(Machine() with { ChosenBin = _machine + "/nothing", Path = [_machine + "/path"] }));
        error.Message.ShouldContain("TIDEMARK_PG_BIN");
        error.Message.ShouldContain(_machine + "/nothing does not contain initdb and postgres");

        Install("chosen", "15.2");
        (await ObtainAsync(Machine() with { ChosenBin = _machine + "/chosen", Path = [_machine + "/path"] })).Version.ShouldContain("15.2");
        (await Should.ThrowAsync<LocalClusterException>(() => ObtainAsync(Machine() with { ChosenBin = _machine + "/chosen" }, major: 17)))
            .Message.ShouldContain("/chosen: version 15");
    }

    [Fact]
    public async Task The_first_folder_of_the_path_wins_unless_its_version_is_not_the_one_wanted()
    {
        Install("first", "16.3");
        Install("usual/17/bin", "17.1");
        var here = Machine() with { Path = [_machine + "/first"], UsualFolders = [_machine + "/usual/*/bin"] };

        (await ObtainAsync(here)).Major.ShouldBe(16);
        (await ObtainAsync(here, major: 17)).Folder.ShouldBe(_machine + "/usual/17/bin");
    }

    [Fact]
    public async Task The_highest_supported_version_in_the_usual_folders_wins()
    {
        foreach (var version in new[] { "9.6", "15.4", "18.1", "17.9" })
            Install($"usual/{version}/bin", version);
        var here = Machine() with { UsualFolders = [_machine + "/usual/*/bin"] };
        (await ObtainAsync(here)).Major.ShouldBe(18);

        Directory.Delete(_machine + "/usual/18.1", recursive: true);
        (await ObtainAsync(here)).Major.ShouldBe(17);
        (await Should.ThrowAsync<LocalClusterException>(() => ObtainAsync(here, major: 16)))
            .Message.ShouldContain("usual/9.6/bin: version 9");
    }

    [Fact]
    public async Task Binaries_that_do_not_run_are_passed_over_and_named()
    {
        Install("broken", "16.3", script: "echo 'libicu is missing' >&2; exit 127");
        var error = await Should.ThrowAsync<LocalClusterException>(() => ObtainAsync(Machine() with { Path = [_machine + "/broken"] }));
        error.Message.ShouldContain("/broken: postgres does not run: libicu is missing");
    }

    [Fact]
    public async Task What_was_downloaded_before_is_found_and_what_is_half_downloaded_is_not()
    {
        Install("cache/postgres/.npm-18.4.0-0123/bin", "18.4");
        Install("cache/postgres/npm-17.9.0/bin", "17.9");
        (await ObtainAsync(Machine())).Major.ShouldBe(17);
        await Should.ThrowAsync<LocalClusterException>(() => ObtainAsync(Machine(), major: 18));
    }

    private SearchEnvironment Machine() => new()
    {
        Path = [],
        UsualFolders = [],
        Cache = _machine + "/cache",
        Clusters = _machine + "/clusters",
        Platform = "linux-x64",
        IsRoot = false,
        UserName = "tester",
    };

    private Task<PostgresBinaries> ObtainAsync(SearchEnvironment environment, int? major = null) =>
        new PostgresPackages(environment, _reported.Add).ObtainAsync(major, Stop);

    private void Install(string folder, string version, string? script = null)
    {
        var bin = Path.Combine(_machine, folder);
        Directory.CreateDirectory(bin);
        foreach (var program in new[] { "initdb", "postgres" })
        {
            var path = Path.Combine(bin, program);
            File.WriteAllText(path, $"#!/bin/sh\n{script ?? $"echo '{program} (PostgreSQL) {version}'"}\n");
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }
    }
}
