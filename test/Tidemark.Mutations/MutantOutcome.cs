namespace Tidemark.Mutations;

internal enum MutantOutcome
{
    Killed,
    Survived,
    NotCompiled,
}
