using Microsoft.EntityFrameworkCore;

namespace Tidemark;

/// <summary>A cluster with the tables of <see cref="RuleContext"/>.</summary>
public sealed class RuleCluster : StoreCluster
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Cluster.Primary.RunAsync(
            "CREATE TABLE profiles (id int PRIMARY KEY, name text NOT NULL); " +
            "CREATE TABLE wishes (id int PRIMARY KEY, profile_id int NOT NULL, kind text NOT NULL); " +
            "CREATE TABLE payments (id int PRIMARY KEY, type text NOT NULL); " +
            "CREATE TABLE notes (id int PRIMARY KEY, profile_id int NOT NULL); " +
            "CREATE TABLE letters (id int PRIMARY KEY, profile_id int NOT NULL); " +
            "CREATE FUNCTION sleep(s double precision) RETURNS text LANGUAGE sql AS $$ SELECT pg_sleep(s)::text $$; " +
            "INSERT INTO profiles VALUES (1, 'ada'); INSERT INTO wishes VALUES (1, 1, 'a lighthouse'); INSERT INTO payments VALUES (1, "
                + "'cash'), (2, 'card'); " +
            "INSERT INTO notes VALUES (1, 1); INSERT INTO letters VALUES (1, 1)");
        await Cluster.WaitForReplayAsync(Stop);
    }

    internal RuleContext CreateRuleContext(TidemarkDataSource? source = null) => new(source ?? Source);

    /// <summary>Returns the names of the nodes that the context's commands ran on since the last call.</summary>
    internal string[] NodesOf(RuleContext context) => [.. context.Commands.TakePorts().Select(NodeAt)];
}
