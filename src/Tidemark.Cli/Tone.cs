namespace Tidemark.Cli;

/// <summary>The colour of a text. The values are ANSI codes.</summary>
internal enum Tone
{
    Plain = 0,
    Strong = 1,
    Quiet = 2,
    Bad = 31,
    Good = 32,
}
