namespace Tidemark;

/// <summary>Scopes end in any order and in any flow, and each end removes only its own scope.</summary>
public sealed class FlowScopeTests
{
    private readonly AsyncLocal<FlowScope<Surroundings>?> _flow = new();

    private string? Node => Surroundings.NodeIn(_flow.Value);

    private Consistency? Level => Surroundings.ConsistencyIn(_flow.Value);

    private ConsistencySession? Session => Surroundings.SessionIn(_flow.Value);

    [Fact]
    public void The_innermost_scope_applies_to_each_value_separately()
    {
        using var node = Enter(new Surroundings(Node: "a"));
        using var level = Enter(new Surroundings(Consistency: Consistency.Strong));
        using var session = new ConsistencySession();
        using var within = Enter(new Surroundings(session));
        (Node, Level, Session).ShouldBe(("a", Consistency.Strong, session));

        using (Enter(new Surroundings(Node: "b"))) (Node, Session).ShouldBe(("b", session));
        Node.ShouldBe("a");
    }

    [Theory]
    [InlineData("012")]
    [InlineData("021")]
    [InlineData("102")]
    [InlineData("120")]
    [InlineData("201")]
    [InlineData("210")]
    public void Scopes_end_in_any_order(string order)
    {
        List<string> open = ["0", "1", "2"];
        var scopes = open.ConvertAll(name => Enter(new Surroundings(Node: name)));
        foreach (var scope in order)
        {
            scopes[scope - '0'].Dispose();
            open.Remove(scope.ToString());
            Node.ShouldBe(open.LastOrDefault());
        }

        _flow.Value.ShouldBeNull();
        scopes[0].Dispose();
        _flow.Value.ShouldBeNull();
    }

    [Fact]
    public void A_loop_that_holds_a_scope_and_ends_later_leaves_the_scope_of_its_caller()
    {
        using var items = Items().GetEnumerator();
        items.MoveNext();
        using (Enter(new Surroundings(Node: "caller")))
        {
            items.MoveNext();
            Node.ShouldBe("caller");
        }

        Node.ShouldBeNull();

        IEnumerable<int> Items()
        {
            using (Enter(new Surroundings(Node: "loop"))) yield return 1;
            yield return 2;
        }
    }

    [Fact]
    public async Task A_scope_that_another_flow_ends_applies_no_longer_in_its_own()
    {
        var outer = Enter(new Surroundings(Node: "outer"));
        var inner = Enter(new Surroundings(Node: "inner"));
        await EndAsync(inner);
        Node.ShouldBe("outer");
        await Task.Run(outer.Dispose, TestContext.Current.CancellationToken);
        Node.ShouldBeNull();

        using (Enter(new Surroundings(Node: "next"))) Node.ShouldBe("next");
        _flow.Value.ShouldBeNull("the chain keeps ended scopes");

        static async Task EndAsync(FlowScope<Surroundings> scope)
        {
            await Task.Yield();
            scope.Dispose();
        }
    }

    [Fact]
    public async Task A_flow_that_outlives_a_session_keeps_it_and_changes_nothing_outside()
    {
        // The flow may begin only after the scope has ended.
        using var session = new ConsistencySession();
        var outside = Enter(new Surroundings(session));
        var isOutsideOver = new TaskCompletionSource();
        var background = Task.Run(async () =>
        {
            var scope = Enter(new Surroundings(Node: "background"));
            await isOutsideOver.Task;
            scope.Dispose();
            return Session;
        }, TestContext.Current.CancellationToken);

        outside.Dispose();
        using var later = Enter(new Surroundings(Node: "later"));
        isOutsideOver.SetResult();
        (await background).ShouldBe(session, "its reads would run without the promises of the session");
        Node.ShouldBe("later");
    }

    private FlowScope<Surroundings> Enter(Surroundings surroundings) => Surroundings.Enter(_flow, surroundings);
}
