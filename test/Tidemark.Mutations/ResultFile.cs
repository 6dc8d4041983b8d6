using System.Collections.Concurrent;
using System.Text.Json;

namespace Tidemark.Mutations;

/// <summary>Results of earlier runs, one JSON object per line, so that an interrupted run can continue.</summary>
internal sealed class ResultFile
{
    private readonly Lock _lock = new();
    private readonly string _path;
    private readonly ConcurrentDictionary<string, MutantResult> _byId = new();

    public ResultFile(string path)
    {
        _path = path;
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (!File.Exists(path)) return;
        foreach (var line in File.ReadLines(path))
        {
            // The last line may be incomplete.
            if (line.EndsWith('}') && JsonSerializer.Deserialize<MutantResult>(line) is { } result) _byId[result.Id] = result;
        }
    }

    /// <summary>The latest result of a mutant, for any version of the sources.</summary>
    public MutantResult? Find(string id) => _byId.GetValueOrDefault(id);

    public void Add(MutantResult result)
    {
        _byId[result.Id] = result;
        lock (_lock) File.AppendAllText(_path, JsonSerializer.Serialize(result) + "\n");
    }
}
