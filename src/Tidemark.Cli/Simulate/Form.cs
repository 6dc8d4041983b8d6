namespace Tidemark.Cli.Simulate;

/// <summary>How records are printed.</summary>
internal enum Form
{
    Text,
    Json,
    Markdown,
}
