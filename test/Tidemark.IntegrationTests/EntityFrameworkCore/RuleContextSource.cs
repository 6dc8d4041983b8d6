namespace Tidemark;

internal static class RuleContextSource
{
    public static TidemarkDataSource GetSource(this RuleContext context) => ContextRouting.Of(context)!.Source;
}
