using System.Diagnostics;
using System.Globalization;
using Tidemark.Testing;

namespace Tidemark;

public sealed class NodeFolderTests : IDisposable
{
    private readonly string _cluster = Directory.CreateTempSubdirectory("tidemark-node-").FullName;
    private readonly NodeFolder _folder;

    public NodeFolderTests()
    {
        _folder = new NodeFolder(_cluster, "pg-1");
        Directory.CreateDirectory(_folder.Data);
    }

    private string PidFile => Path.Combine(_folder.Data, "postmaster.pid");

    public void Dispose() => Directory.Delete(_cluster, recursive: true);

    [Fact]
    public async Task A_server_that_exited_unreaped_counts_as_stopped()
    {
        // The shell execs a program that never waits for its inherited child. The child exits only after that, because a shell might wait
        // for it.
        using var parent = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exec 3<&0; head -n 1 <&3 >/dev/null & echo $!; exec "
            + "sleep 60"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        try
        {
            var ended = int.Parse((await parent.StandardOutput.ReadLineAsync(limit.Token))!, CultureInfo.InvariantCulture);
            while (await File.ReadAllTextAsync($"/proc/{parent.Id}/comm", limit.Token) != "sleep\n") await Task.Delay(10, limit.Token);
            await parent.StandardInput.WriteLineAsync();
            await parent.StandardInput.FlushAsync(limit.Token);
            while (!ProcessTable.HasEnded(ended)) await Task.Delay(10, limit.Token);

            Write(ended);
            _folder.ForgetGoneServer();
            File.Exists(PidFile).ShouldBeFalse();
        }
        finally
        {
            parent.Kill();
        }
    }

    [Fact]
    public void A_file_whose_process_is_gone_altogether_is_left_to_postgresql()
    {
        Write(int.MaxValue);
        _folder.ForgetGoneServer();
        File.Exists(PidFile).ShouldBeTrue();
    }

    private void Write(int id) => File.WriteAllText(PidFile, $"{id}\n{_folder.Data}\n");
}
