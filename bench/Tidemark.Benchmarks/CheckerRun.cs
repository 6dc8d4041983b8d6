using System.Diagnostics;
using System.Globalization;
using Tidemark.Verification;

namespace Tidemark;

/// <summary>
/// Measures the time and memory that the checker needs for a large history of 10,000 sessions with concurrent operations. Default
/// 10 million operations: a fifth are writes, the others read 4 keys with all session guarantees.
/// </summary>
internal static class CheckerRun
{
    private const int Keys = 20_000;
    private const int Sessions = 10_000;
    private const int Replicas = 3;
    private const int KeysPerRead = 4;

    private static TimeSpan _before;

    public static void Run(string[] args)
    {
        var operations = args is [var count] ? int.Parse(count, CultureInfo.InvariantCulture) : 10_000_000;
        var clock = Stopwatch.StartNew();
        var builder = Record(operations);
        Step("recorded", clock);
        var history = builder.Build();
        Step("built", clock);
        var verdict = HistoryChecker.Check(history);
        Step("checked", clock);
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture,
            $"{verdict.Operations:N0} operations, {verdict.Reads:N0} reads, {verdict.ViolationCount:N0} violations"));
        Console.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"largest memory {Process.GetCurrentProcess().PeakWorkingSet64 / 1e6:N0} MB"));
        if (!verdict.IsClean) Console.WriteLine(verdict.Violations[0]);
    }

    // One operation starts per tick and takes up to 50 ticks. A read returns the state at a moment between its start and its end, so the
    // history has no violations.
    private static HistoryBuilder Record(int operations)
    {
        var random = new Random(1);
        var builder = new HistoryBuilder();
        for (var i = 0; i < Replicas; i++) builder.AddNode($"replica-{i + 1}");
        for (var i = 0; i < Sessions; i++) builder.AddClient();
        var (versions, values) = (new long[Keys], new long[Keys]);
        var rank = 0L;
        Span<Observation> rows = stackalloc Observation[KeysPerRead];
        for (var i = 0; i < operations; i++)
        {
            var (client, start, end) = (random.Next(Sessions), i - random.Next(25), i + random.Next(25));
            if (random.Next(5) == 0)
            {
                var key = random.Next(Keys);
                values[key] = i;
                builder.Write(client, start, end, key, ++versions[key], i, HistoryOutcome.Acknowledged);
                builder.Commit(key, versions[key], i, timeline: 1, ++rank);
                continue;
            }

            var first = random.Next(Keys);
            for (var j = 0; j < KeysPerRead; j++)
            {
                var key = (first + (j * 4999)) % Keys;
                rows[j] = new Observation(key, versions[key], values[key]);
            }

            var maxStaleness = random.Next(4) == 0 ? TimeSpan.FromTicks(1000) : (TimeSpan?)null;
            builder.Read(client, start, end, random.Next(Replicas), onPrimary: false, rows, ReadGuarantees.Session, maxStaleness);
        }

        return builder;
    }

    // Also prints processor time, including garbage collection on other threads: it varies less on a busy machine.
    private static void Step(string what, Stopwatch clock)
    {
        var processor = Process.GetCurrentProcess().TotalProcessorTime;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{what,-10}{clock.Elapsed.TotalSeconds,8:F2} s, {(processor - _before).TotalSeconds:F2} s of a processor"));
        _before = processor;
        clock.Restart();
    }
}
