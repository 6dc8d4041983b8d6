using System.Globalization;
using System.Text.Json;

namespace Tidemark.Mutations;

/// <summary>The score, per file and in total, and the survivors.</summary>
internal sealed class MutationReport(
    IReadOnlyList<(Mutant Mutant, MutantResult Result)> results, IReadOnlyDictionary<string, string> equivalents, TimeSpan elapsed)
{
    private const double LeastScore = 90;
    private static readonly JsonSerializerOptions Indented = new(JsonSerializerOptions.Web) { WriteIndented = true };

    private IEnumerable<(Mutant Mutant, MutantResult Result)> Counted =>
        results.Where(one => one.Result.Outcome != MutantOutcome.NotCompiled && !equivalents.ContainsKey(one.Mutant.Id));

    private IEnumerable<Mutant> Survivors => Counted.Where(one => one.Result.Outcome == MutantOutcome.Survived).Select(one => one.Mutant);

    private double Score => ScoreOf(Counted);

    public bool IsGood => Score >= LeastScore;

    public void Print(bool asJson)
    {
        if (asJson) Console.WriteLine(JsonSerializer.Serialize(ToJson(), Indented));
        else PrintTable();
    }

    private void PrintTable()
    {
        Line($"| file | mutants | killed | survived | score |");
        Line($"|---|---:|---:|---:|---:|");
        foreach (var file in Counted.GroupBy(one => one.Mutant.File)) Row(file.Key, [.. file]);
        Row("total", [.. Counted]);
        var equivalent = results.Where(one => equivalents.ContainsKey(one.Mutant.Id)).ToList();
        var notCompiled = results.Count(one => one.Result.Outcome == MutantOutcome.NotCompiled);
        Line($"{equivalent.Count} equivalent, {notCompiled} not compiled, {elapsed.TotalMinutes:0.0} minutes");
        foreach (var mutant in Survivors) Line($"survived  {mutant.File}:{mutant.Line}  {mutant.Id}");
        foreach (var (mutant, _) in equivalent.Where(one => one.Result.Outcome == MutantOutcome.Killed))
            Line($"not equivalent, since a test detects it: {mutant.Id}");
    }

    private object ToJson() => new
    {
        Score,
        IsGood,
        Minutes = elapsed.TotalMinutes,
        Files = Counted.GroupBy(one => one.Mutant.File)
            .Select(file => new { File = file.Key, Mutants = file.Count(), Score = ScoreOf(file) }),
        Mutants = results.Select(one => new
        {
            one.Mutant.Id,
            one.Mutant.File,
            one.Mutant.Line,
            Outcome = one.Result.Outcome.ToString(),
            one.Result.By,
            one.Result.Seconds,
            Equivalent = equivalents.GetValueOrDefault(one.Mutant.Id),
        }),
    };

    private static double ScoreOf(IEnumerable<(Mutant Mutant, MutantResult Result)> all) =>
        all.Select(one => one.Result.Outcome == MutantOutcome.Killed ? 100.0 : 0).DefaultIfEmpty(100).Average();

    private static void Row(string name, List<(Mutant Mutant, MutantResult Result)> all)
    {
        var (count, killed) = (all.Count, all.Count(one => one.Result.Outcome == MutantOutcome.Killed));
        Line($"| {name} | {count} | {killed} | {count - killed} | {ScoreOf(all):0.0} % |");
    }

    private static void Line(FormattableString text) => Console.WriteLine(text.ToString(CultureInfo.InvariantCulture));
}
