namespace Tidemark;

internal static class RuleContextSource
{
    public static TidemarkDataSource GetSource(this RuleContext context) => OptionalRouting.Of(context)!.Source;
}
