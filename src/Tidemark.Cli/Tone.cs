namespace Tidemark.Cli;

/// <summary>What colour says; the numbers are those of ANSI.</summary>
internal enum Tone
{
    Plain = 0,
    Strong = 1,
    Quiet = 2,
    Bad = 31,
    Good = 32,
}
