namespace Tidemark.Mutations;

/// <summary>The result of running the tests against a mutant.</summary>
/// <param name="Id">The mutant.</param>
/// <param name="Sources">The hash of all sources and tests that the result is about.</param>
/// <param name="Outcome">Killed, survived, or not compiled.</param>
/// <param name="By">The test that failed, or the compiler's error.</param>
/// <param name="Seconds">The time it took.</param>
internal sealed record MutantResult(string Id, string Sources, MutantOutcome Outcome, string? By, double Seconds);
