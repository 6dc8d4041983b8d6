using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Tidemark.Mutations;

/// <summary>Derives mutants from the syntax of one file. Those that do not compile are discarded later.</summary>
internal sealed class MutantFinder : CSharpSyntaxWalker
{
    // Names that the compiler would accept for one another and that mean different things.
    private static readonly (string Name, string Other)[] Twins =
        [
        ("Lsn", "InsertLsn"), ("InsertLsn", "Lsn"), ("Written", "Observed"), ("Observed", "Written"),
        ("Max", "Min"), ("Min", "Max"),
    ];

    private readonly string _file;
    private readonly string _text;
    private readonly List<Mutant> _found = [];
    private readonly Dictionary<string, int> _changes = [];

    private MutantFinder(string file, string text) => (_file, _text) = (file, text);

    public static IReadOnlyList<Mutant> Find(string file, string text, CSharpParseOptions options)
    {
        var finder = new MutantFinder(file, text);
        finder.Visit(CSharpSyntaxTree.ParseText(text, options).GetRoot());
        return finder._found;
    }

    public override void VisitIfStatement(IfStatementSyntax node)
    {
        Replace(node.Condition, $"!({node.Condition})");
        base.VisitIfStatement(node);
    }

    public override void VisitConditionalExpression(ConditionalExpressionSyntax node)
    {
        Replace(node, $"({node.WhenTrue})");
        Replace(node, $"({node.WhenFalse})");
        base.VisitConditionalExpression(node);
    }

    public override void VisitBinaryExpression(BinaryExpressionSyntax node)
    {
        switch (node.Kind())
        {
            case SyntaxKind.LogicalAndExpression or SyntaxKind.LogicalOrExpression or SyntaxKind.CoalesceExpression:
                Replace(node, $"({node.Left})");
                Replace(node, $"({node.Right})");
                break;
            case var kind when OtherOperator(kind) is { } other:
                Replace(node, $"{node.Left} {other} {node.Right}");
                break;
            default:
                break;
        }

        base.VisitBinaryExpression(node);
    }

    public override void VisitBinaryPattern(BinaryPatternSyntax node)
    {
        Replace(node, node.Left.ToString());
        Replace(node, node.Right.ToString());
        base.VisitBinaryPattern(node);
    }

    public override void VisitUnaryPattern(UnaryPatternSyntax node)
    {
        Replace(node, node.Pattern.ToString());
        base.VisitUnaryPattern(node);
    }

    public override void VisitPropertyPatternClause(PropertyPatternClauseSyntax node)
    {
        if (node.Subpatterns.Count > 1)
        {
            foreach (var part in node.Subpatterns)
                Replace(node, $"{{ {string.Join(", ", node.Subpatterns.Where(other => other != part))} }}");
        }

        base.VisitPropertyPatternClause(node);
    }

    public override void VisitWhenClause(WhenClauseSyntax node)
    {
        Replace(node, "");
        base.VisitWhenClause(node);
    }

    public override void VisitCatchFilterClause(CatchFilterClauseSyntax node)
    {
        Replace(node, "");
        base.VisitCatchFilterClause(node);
    }

    public override void VisitExpressionStatement(ExpressionStatementSyntax node)
    {
        Replace(node, ";");
        base.VisitExpressionStatement(node);
    }

    public override void VisitReturnStatement(ReturnStatementSyntax node)
    {
        if (node.Expression is not null && IsBool(node)) ReplaceByConstants(node.Expression);
        base.VisitReturnStatement(node);
    }

    public override void VisitArrowExpressionClause(ArrowExpressionClauseSyntax node)
    {
        if (IsBool(node)) ReplaceByConstants(node.Expression);
        else if (IsVoid(node)) Replace(node.Expression, "_ = 0");
        base.VisitArrowExpressionClause(node);
    }

    public override void VisitSwitchExpressionArm(SwitchExpressionArmSyntax node)
    {
        // The arm goes with its comma. If values are left without an arm, the compiler only warns.
        if (node.Parent is SwitchExpressionSyntax { Arms: var arms } && arms.IndexOf(node) < arms.SeparatorCount && arms.Count > 2)
            Replace(node, "", until: arms.GetSeparator(arms.IndexOf(node)).Span.End);
        base.VisitSwitchExpressionArm(node);
    }

    public override void VisitIdentifierName(IdentifierNameSyntax node)
    {
        foreach (var (name, other) in Twins)
        {
            if (node.Identifier.ValueText == name && node.Parent is MemberAccessExpressionSyntax access && access.Name == node)
                Replace(access, access.ToString()[..^name.Length] + other);
        }

        base.VisitIdentifierName(node);
    }

    private static string Space(SyntaxNode? node) => node is null ? "" : $" {node}";

    private static string? OtherOperator(SyntaxKind kind) => kind switch
    {
        SyntaxKind.LessThanExpression => "<=",
        SyntaxKind.LessThanOrEqualExpression => "<",
        SyntaxKind.GreaterThanExpression => ">=",
        SyntaxKind.GreaterThanOrEqualExpression => ">",
        SyntaxKind.EqualsExpression => "!=",
        SyntaxKind.NotEqualsExpression => "==",
        SyntaxKind.AddExpression => "-",
        SyntaxKind.SubtractExpression => "+",
        _ => null,
    };

    private static TypeSyntax? ReturnTypeOf(SyntaxNode node)
    {
        foreach (var ancestor in node.Ancestors())
        {
            switch (ancestor)
            {
                case MethodDeclarationSyntax method: return method.ReturnType;
                case LocalFunctionStatementSyntax local: return local.ReturnType;
                case BasePropertyDeclarationSyntax property: return property.Type;
                case LambdaExpressionSyntax or BaseMethodDeclarationSyntax: return null;
                default: break;
            }
        }

        return null;
    }

    private static bool IsBool(SyntaxNode node) => ReturnTypeOf(node)?.ToString() is "bool" or "ValueTask<bool>" or "Task<bool>";

    private static bool IsVoid(SyntaxNode node) => ReturnTypeOf(node)?.ToString() is "void";

    private static string MemberOf(SyntaxNode node)
    {
        foreach (var ancestor in node.AncestorsAndSelf())
        {
            var name = ancestor switch
            {
                MethodDeclarationSyntax method => method.Identifier.ValueText,
                PropertyDeclarationSyntax property => property.Identifier.ValueText,
                ConstructorDeclarationSyntax => ".ctor",
                OperatorDeclarationSyntax op => $"operator {op.OperatorToken.ValueText}",
                IndexerDeclarationSyntax => "this[]",
                BaseTypeDeclarationSyntax type => type.Identifier.ValueText,
                _ => null,
            };
            if (name is not null) return name;
        }

        return "";
    }

    private void ReplaceByConstants(ExpressionSyntax expression)
    {
        foreach (var constant in (string[])["true", "false"])
            if (expression.ToString() != constant) Replace(expression, constant);
    }

    private void Replace(SyntaxNode node, string replacement, int? until = null)
    {
        if (node.ToString() == replacement) return;
        var (span, member) = (node.Span, MemberOf(node));
        var change = $"`{OneLine(node.ToString())}` -> `{OneLine(replacement)}`";
        var count = _changes[$"{member} {change}"] = _changes.GetValueOrDefault($"{member} {change}") + 1;
        if (count > 1) change += $" ({count})";
        var line = node.GetLocation().GetLineSpan().StartLinePosition.Line + 1;
        _found.Add(new Mutant(_file, member, line, change, _text[..span.Start] + replacement + _text[(until ?? span.End)..]));
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
