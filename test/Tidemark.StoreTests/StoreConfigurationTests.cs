namespace Tidemark;

/// <summary>A store with an invalid configuration exits at its start and lists all errors.</summary>
public sealed class StoreConfigurationTests
{
    private const string Password = "not-for-output";

    [Fact(Timeout = 60_000)]
    public async Task All_errors_are_listed_and_no_password_is_shown()
    {
        await using var store = StoreProcess.Start(
            ("Tidemark__Nodes__pg-1", $"Host=pg-1;Database=store;Pasword={Password}"),
            ("Tidemark__Nodes__pg-2", $"Host=pg-2;Database=shop;Password={Password};Load Balance Hosts=true"),
            ("Tidemark__Nodes__pg-3", $"postgres://store:{Password}@pg-3,pg-4/store"),
            ("Tidemark__ProbeInterval", "0"),
            ("Tidemark__Balance", "Random"));

        (await store.EndAsync()).ShouldNotBe(0);
        store.Output.ShouldContain("Tidemark:Nodes:pg-1");
        store.Output.ShouldContain("Tidemark:Nodes:pg-2:ConnectionString sets Load Balance Hosts");
        store.Output.ShouldContain("Tidemark:Nodes:pg-3:ConnectionString names 2 hosts");
        store.Output.ShouldContain("Tidemark:Nodes use several databases: shop, store");
        store.Output.ShouldContain("Tidemark:ProbeInterval");
        store.Output.ShouldContain("Tidemark:Balance");
        store.Output.ShouldNotContain(Password);
    }
}
