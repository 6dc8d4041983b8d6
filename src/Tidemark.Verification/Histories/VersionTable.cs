namespace Tidemark.Verification;

/// <summary>All committed versions, sorted by key, version and timeline. Immutable.</summary>
internal sealed class VersionTable(CommittedVersion[] versions, int[] keyStarts, WalTree tree)
{
    /// <summary>The index that stands for no version: the initial row, or a version that was never committed.</summary>
    public const int None = -1;

    private readonly bool _hasForks = tree.Count > 2;

    public int Count => versions.Length;

    public ref readonly CommittedVersion this[int index] => ref versions[index];

    /// <summary>Returns the index of a committed version, or <see cref="None"/> if no such commit exists.</summary>
    public int Find(int key, int version, long value)
    {
        if (version == 0) return None;
        for (var i = First(key, version); i < keyStarts[key + 1] && versions[i].Version == version; i++)
        {
            if (versions[i].Value == value) return i;
        }

        return None;
    }

    /// <summary>Returns the next version of a key in the history of a timeline, or <see cref="None"/> if none exists.</summary>
    public int Next(int key, int version, int timeline)
    {
        for (var i = First(key, version + 1); i < keyStarts[key + 1] && versions[i].Version == version + 1; i++)
        {
            if (versions[i].Rank <= tree.Reach(versions[i].Timeline, timeline)) return i;
        }

        return None;
    }

    /// <summary>Returns the entries of one version of a key on all timelines.</summary>
    public IEnumerable<int> All(int key, int version)
    {
        for (var i = First(key, version); i < keyStarts[key + 1] && versions[i].Version == version; i++) yield return i;
    }

    /// <summary>Returns both the version that a row shows and the next one in the history of a timeline.</summary>
    public (int Shown, int Next) Locate(in ShownRow row, int timeline)
    {
        if (_hasForks) return (Find(row.Key, row.Version, row.Value), Next(row.Key, row.Version, timeline));

        // One memory access instead of three: the checker spends most of its time here.
        var shown = keyStarts[row.Key] + row.Version - 1L;
        var end = keyStarts[row.Key + 1];
        return (row.Version > 0 && shown < end && versions[shown].Value == row.Value ? (int)shown : None, shown + 1 < end ? (int)shown
            + 1 : None);
    }

    /// <summary>Returns the index at which the entries of a version begin, if there are any.</summary>
    public int First(int key, int version)
    {
        // Without forks versions are dense, which the assembly has checked.
        var (low, high) = (keyStarts[key], keyStarts[key + 1]);
        if (!_hasForks) return version - 1 < high - low ? low + version - 1 : high;
        while (low < high)
        {
            var middle = (low + high) >> 1;
            if (versions[middle].Version < version) low = middle + 1;
            else high = middle;
        }

        return low;
    }
}
