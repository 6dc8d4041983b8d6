namespace Tidemark.Testing;

/// <summary>Puts what was recorded together and refuses what contradicts itself.</summary>
internal static class HistoryAssembly
{
    public static History Assemble(HistoryColumns columns) => new(columns);
}
