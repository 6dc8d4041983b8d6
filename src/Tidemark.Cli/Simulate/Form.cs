namespace Tidemark.Cli.Simulate;

/// <summary>The output format.</summary>
internal enum Form
{
    Text,
    Json,
    Markdown,
}
