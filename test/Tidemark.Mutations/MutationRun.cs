using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Tidemark.Mutations;

/// <summary>
/// Runs the tests against each mutant: first the classes that mention the mutated types, then the other classes, then 200 simulated worlds.
/// </summary>
internal sealed class MutationRun(string root, MutationOptions options)
{
    private const string Unchanged = "(unchanged)";
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);
    private static readonly string[] WorldFilter = ["-class", TestClasses.Worlds, "-method-", "*.A_planted_fault_is_caught"];

    private readonly string _source = Path.Combine(root, "src", "Tidemark");
    private readonly string _tests = Path.Combine(root, "test", "Tidemark.Tests");
    private readonly MutationPlan _plan = MutationPlan.Read(Path.Combine(root, "test", "Tidemark.Mutations", "mutations.json"));
    private readonly ResultFile _results = new(Path.Combine(root, "test", "Tidemark.Mutations", "obj", "results.jsonl"));

    private string Built => Path.Combine(_tests, "bin", "Debug", "net10.0");

    public async Task<int> RunAsync()
    {
        var watch = Stopwatch.StartNew();
        if (!options.NoBuild && !options.List) Build();
        var compiler = MutantCompiler.Of(Path.Combine(_source, "Tidemark.csproj"));
        var mutants = Choose(compiler);
        if (options.List)
        {
            foreach (var mutant in mutants) Console.WriteLine($"{mutant.File}:{mutant.Line}  {mutant.Id}");
            Console.WriteLine($"{mutants.Count} mutants");
            return 0;
        }

        var (sources, classes) = (HashOfSources(), new TestClasses(_tests));
        var types = TestClasses.SourcesIn(_source).SelectMany(file => TestClasses.TypesIn(File.ReadAllText(file))).ToHashSet();
        var rest = classes.About(types);

        var results = new MutantResult?[mutants.Count];
        for (var i = 0; i < mutants.Count; i++) results[i] = Known(mutants[i], sources);
        if (results.Contains(null))
        {
            if (await CheckUnchangedAsync(compiler, sources, rest) is not { } limit) return 2;
            using var folders = new TestFolders(Built, options.Parallel);
            var done = results.Count(result => result is not null);
            await Parallel.ForAsync(0, mutants.Count, new ParallelOptions { MaxDegreeOfParallelism = options.Parallel }, async (i, _) =>
            {
                if (results[i] is not null) return;
                var folder = folders.Take();
                var (mutant, started) = (mutants[i], Stopwatch.StartNew());
                var (outcome, by) = await JudgeAsync(compiler, mutant, folder, classes.Covering(mutant.File, mutant.Source), rest, limit);
                folders.Return(folder);
                results[i] = new MutantResult(mutant.Id, sources, outcome, by, started.Elapsed.TotalSeconds);
                _results.Add(results[i]!);
                var number = Interlocked.Increment(ref done);
                Progress($"[{number}/{mutants.Count}] {outcome} in {started.Elapsed.TotalSeconds:0.0} s: {mutant.Id}  {by}");
            });
        }

        var report = new MutationReport(
            [.. mutants.Zip(results, (mutant, result) => (mutant, result!))], Equivalents(mutants), watch.Elapsed);
        report.Print(options.Json);
        return report.IsGood ? 0 : 1;
    }

    /// <summary>The mutants to run, the same in every run for the same source.</summary>
    private List<Mutant> Choose(MutantCompiler compiler)
    {
        var files = _plan.Expand(_source)
            .Where(file => options.Files.Count == 0 || options.Files.Contains(Path.GetFileName(file))).ToList();
        if (files.Count == 0)
            throw new ArgumentException($"None of {string.Join(", ", options.Files)} is a planned file (mutations.json).");
        var derived = files
            .SelectMany(file => MutantFinder.Find(file, File.ReadAllText(Path.Combine(_source, file)), compiler.ParseOptions))
            .GroupBy(mutant => (mutant.File, mutant.Member))
            .SelectMany(member => options.PerMember == 0 ? member.AsEnumerable()
                : member.OrderBy(mutant => mutant.Rank, StringComparer.Ordinal)
                    .Where(mutant => compiler.Accepts(Path.Combine(_source, mutant.File), mutant.Source)).Take(options.PerMember));
        var byHand = _plan.Guards.Where(guard => files.Contains(guard.File)).Select(Apply);
        return [.. byHand.Concat(derived)
            .Where(mutant => options.Match is not { } text || mutant.Id.Contains(text, StringComparison.Ordinal))
            .Where(mutant => !options.Survivors || _results.Find(mutant.Id)?.Outcome == MutantOutcome.Survived)];
    }

    private Mutant Apply(Guard guard)
    {
        var text = File.ReadAllText(Path.Combine(_source, guard.File));
        var start = text.IndexOf(guard.Snippet, StringComparison.Ordinal);
        if (start < 0 || text.IndexOf(guard.Snippet, start + 1, StringComparison.Ordinal) >= 0)
            throw new InvalidDataException(
                $"mutations.json: the snippet of \"{guard.Removes}\" must occur once in {guard.File}: {guard.Snippet}");
        var line = text[..start].Count(c => c == '\n') + 1;
        return new Mutant(
            guard.File, "(guard)", line, guard.Removes, text[..start] + guard.Replacement + text[(start + guard.Snippet.Length)..]);
    }

    private MutantResult? Known(Mutant mutant, string sources) =>
        _results.Find(mutant.Id) is { } known && (known.Sources == sources || (options.KeepKilled && known.Outcome == MutantOutcome.Killed))
            ? known
            : null;

    private Dictionary<string, string> Equivalents(List<Mutant> mutants)
    {
        var ids = mutants.Select(mutant => mutant.Id).ToHashSet();
        var isWhole = options is { Files.Count: 0, Match: null, Survivors: false, PerMember: 0 };
        foreach (var stray in _plan.Equivalent.Where(one => isWhole && !ids.Contains(one.Id)))
            Progress($"mutations.json lists an equivalent mutant that no longer exists: {stray.Id}");
        return _plan.Equivalent.ToDictionary(one => one.Id, one => one.Reason);
    }

    /// <summary>
    /// Runs everything against the unchanged program. Returns the time limit for a stage, or <see langword="null"/> if a test fails.
    /// </summary>
    private async Task<TimeSpan?> CheckUnchangedAsync(MutantCompiler compiler, string sources, IReadOnlyList<string> rest)
    {
        if (_results.Find(Unchanged) is { } known && known.Sources == sources) return LimitOf(known.Seconds);
        using var folder = new TestFolder(Built);
        if (compiler.Compile(file: null, "", folder.Assembly) is { } error) throw new InvalidOperationException(error);
        var watch = Stopwatch.StartNew();
        foreach (var filter in (string[][])[WorldFilter, FilterOf(rest)])
        {
            if (await folder.RunAsync(filter, TimeSpan.FromMinutes(15)) is not { } failed) continue;
            await Console.Error.WriteLineAsync($"A test fails without any mutant: {failed}");
            return null;
        }

        Progress($"Without mutants all tests pass in {watch.Elapsed.TotalSeconds:0} s.");
        _results.Add(new MutantResult(Unchanged, sources, MutantOutcome.Survived, By: null, watch.Elapsed.TotalSeconds));
        return LimitOf(watch.Elapsed.TotalSeconds);
    }

    private static TimeSpan LimitOf(double seconds) => (3 * TimeSpan.FromSeconds(seconds)) + Grace;

    private async Task<(MutantOutcome Outcome, string? By)> JudgeAsync(
        MutantCompiler compiler, Mutant mutant, TestFolder folder, IReadOnlyList<string> covering, IReadOnlyList<string> rest,
        TimeSpan limit)
    {
        if (compiler.Compile(Path.Combine(_source, mutant.File), mutant.Source, folder.Assembly) is { } error)
        {
            return mutant.Member == "(guard)"
                ? throw new InvalidDataException($"mutations.json: \"{mutant.Change}\" does not compile: {error}")
                : (MutantOutcome.NotCompiled, error);
        }

        string[] near = FilterOf(covering);
        string[] others = FilterOf(rest.Except(covering));
        foreach (var filter in (string[][])[near, others, WorldFilter])
            if (filter.Length > 0 && await folder.RunAsync(filter, limit) is { } by) return (MutantOutcome.Killed, by);
        return (MutantOutcome.Survived, null);
    }

    private static string[] FilterOf(IEnumerable<string> classes) => [.. classes.SelectMany(name => (string[])["-class", name])];

    private string HashOfSources()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var source = Path.GetDirectoryName(_source)!;
        string[] folders = [_source, Path.Combine(source, "Tidemark.Testing"), Path.Combine(source, "Tidemark.Verification"), _tests];
        foreach (var file in folders.SelectMany(TestClasses.SourcesIn))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(Path.GetRelativePath(root, file)));
            hash.AppendData(File.ReadAllBytes(file));
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private void Build()
    {
        Progress($"Building {_tests}");
        string[] command = ["build", _tests, "-c", "Debug", "-v", "q", "--nologo"];
        using var build = Process.Start(new ProcessStartInfo("dotnet", command) { RedirectStandardOutput = true })!;
        var output = build.StandardOutput.ReadToEnd();
        build.WaitForExit();
        if (build.ExitCode != 0) throw new InvalidOperationException(output);
    }

    private static void Progress(FormattableString text) => Console.Error.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
