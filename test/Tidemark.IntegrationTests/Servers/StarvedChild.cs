using System.Collections.Concurrent;
using Npgsql;

namespace Tidemark;

/// <summary>
/// The process that <see cref="MonitorTests"/> starts. Its thread pool has very few threads, and all of them are blocked.
/// </summary>
internal static class StarvedChild
{
    public const string Command = "read-without-threads";

    /// <summary>Reads synchronously at a cold start.</summary>
    /// <param name="readers">
    /// The number of concurrent reads on the thread pool. If 0, one read runs on the main thread, while every thread of the pool stays
    /// blocked.
    /// </param>
    /// <param name="connectionStrings">The connection strings of the nodes.</param>
    /// <returns>The number of reads that failed. Prints why each one failed.</returns>
    public static int Run(int readers, IReadOnlyList<string> connectionStrings)
    {
        ThreadPool.SetMinThreads(2, 2);
        if (readers == 0) BlockThePool();
        var builder = new TidemarkDataSourceBuilder();
        for (var node = 0; node < connectionStrings.Count; node++) builder.AddNode($"pg-{node + 1}", connectionStrings[node]);
        using var source = builder.Build();
        return readers == 0 ? ReadAndWrite(source) : ReadAtOnce(source, readers);
    }

    private static int ReadAtOnce(TidemarkDataSource source, int readers)
    {
        var failures = new ConcurrentQueue<Exception>();
        using var done = new CountdownEvent(readers);
        for (var reader = 0; reader < readers; reader++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                _ =>
                {
                    try
                    {
                        Read(source, "1");
                    }
                    catch (Exception e)
                    {
                        failures.Enqueue(e);
                    }
                    finally
                    {
                        done.Signal();
                    }
                },
                null);
        }

        done.Wait();
        foreach (var failure in failures) Console.WriteLine(failure.Message);
        return failures.Count;
    }

    private static int ReadAndWrite(TidemarkDataSource source)
    {
        try
        {
            using var session = source.BeginSession();
            for (var round = 0; round < 3; round++)
            {
                // One statement at a time: the driver sends the second statement of a batch from the pool, although the call is
                // synchronous.
                using (var writing = source.OpenWriteConnection())
                using (var command = new NpgsqlCommand("INSERT INTO items (name) VALUES ('starved')", writing))
                    command.ExecuteNonQuery();

                // The position of the write is pending, so opening queries it.
                using var reading = source.OpenReadConnection();
                using var question = new NpgsqlCommand("SELECT count(*) FROM items WHERE name = 'starved'", reading);
                var count = (long)question.ExecuteScalar()!;
                if (count < round + 1) throw new InvalidOperationException($"{count} rows after {round + 1} writes");
            }

            var backend = source.Cluster.FindGoneAsync(0, [1, 2_000_000_000], IoMode.Blocking, CancellationToken.None);
            return backend.IsCompleted ? 0 : throw new InvalidOperationException("did not block");
        }
        catch (Exception e)
        {
            Console.WriteLine(e);
            return 1;
        }
    }

    private static long Read(TidemarkDataSource source, string what)
    {
        using var command = source.CreateReadCommand($"SELECT {what}");
        return Convert.ToInt64(command.ExecuteScalar(), System.Globalization.CultureInfo.InvariantCulture);
    }

    private static void BlockThePool()
    {
        ThreadPool.SetMaxThreads(2, 2);
        ThreadPool.GetMaxThreads(out var threads, out _);
        using var blocked = new CountdownEvent(threads);
        for (var thread = 0; thread < threads; thread++)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static blocked =>
                {
                    blocked.Signal();
                    new ManualResetEventSlim().Wait();
                },
                blocked,
                preferLocal: false);
        }

        blocked.Wait();
    }
}
