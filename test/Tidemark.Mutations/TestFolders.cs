using System.Collections.Concurrent;

namespace Tidemark.Mutations;

/// <summary>One copy of the built tests for each process that runs at a time.</summary>
internal sealed class TestFolders(string built, int count) : IDisposable
{
    private readonly ConcurrentBag<TestFolder> _free = [.. Enumerable.Range(0, count).Select(_ => new TestFolder(built))];

    public TestFolder Take() =>
        _free.TryTake(out var folder) ? folder : throw new InvalidOperationException("More processes than folders.");

    public void Return(TestFolder folder) => _free.Add(folder);

    public void Dispose()
    {
        foreach (var folder in _free) folder.Dispose();
    }
}
