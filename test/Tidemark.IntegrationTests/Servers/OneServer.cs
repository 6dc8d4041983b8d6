namespace Tidemark;

/// <summary>A server without replicas, with the tables of the store.</summary>
public class OneServer : StoreCluster
{
    protected override int Replicas => 0;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Cluster.Primary.RunAsync(
            "CREATE FUNCTION draw(i int) RETURNS bigint LANGUAGE sql AS $$ SELECT nextval('tickets') $$; " +
            "CREATE FUNCTION mode() RETURNS text LANGUAGE sql AS $$ SELECT current_setting('transaction_read_only') $$");
        await Cluster.WaitForReplayAsync(TestContext.Current.CancellationToken);
    }
}
