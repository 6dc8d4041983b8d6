using System.Collections.Concurrent;
using System.Text.Json;

namespace Tidemark.Mutations;

/// <summary>Results of earlier runs, one JSON object a line, so that a run that was cut off goes on where it was.</summary>
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
            // The last line may be cut off.
            if (line.EndsWith('}') && JsonSerializer.Deserialize<MutantResult>(line) is { } result) _byId[result.Id] = result;
        }
    }

    /// <summary>The latest result of a mutant, of whatever sources.</summary>
    public MutantResult? Find(string id) => _byId.GetValueOrDefault(id);

    public void Add(MutantResult result)
    {
        _byId[result.Id] = result;
        lock (_lock) File.AppendAllText(_path, JsonSerializer.Serialize(result) + "\n");
    }
}
