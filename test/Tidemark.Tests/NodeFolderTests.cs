using System.Diagnostics;
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
    public async Task A_server_that_has_ended_and_that_nobody_took_note_of_is_gone()
    {
        // The shell becomes a program that never asks after the child it has inherited.
        using var parent = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "sleep 0 & echo $!; exec sleep 60"]) { RedirectStandardOutput = true })!;
        try
        {
            var ended = int.Parse((await parent.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!, System.Globalization.CultureInfo.InvariantCulture);
            while (!ProcessTable.HasEnded(ended)) await Task.Delay(10, TestContext.Current.CancellationToken);

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
