using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace Tidemark;

public sealed class TidemarkOptionsTests
{
    [Fact]
    public void Nodes_are_read_as_strings_and_as_objects()
    {
        var options = Read(
            ("Nodes:pg-1", "Host=pg-1;Database=store"),
            ("Nodes:pg-2:ConnectionString", "postgres://pg-2/store"),
            ("Nodes:pg-2:Weight", "2.5"),
            ("Nodes:pg-2:Zone", "eu-1b"),
            ("Nodes:pg-2:MaxPoolSize", "20"),
            ("Nodes:pg-2:ConnectionLifetime", "00:05:00"));

        options.Nodes.Keys.ShouldBe(["pg-1", "pg-2"]);
        options.Nodes["pg-1"].ConnectionString.ShouldBe("Host=pg-1;Database=store");
        var node = options.Nodes["PG-2"];
        (node.ConnectionString, node.Weight, node.Zone, node.MaxPoolSize, node.ConnectionLifetime)
            .ShouldBe(("postgres://pg-2/store", 2.5, "eu-1b", 20, TimeSpan.FromMinutes(5)));
    }

    [Fact]
    public void Settings_are_case_insensitive()
    {
        var options = Read(
            ("ConnectionString", "Host=pg-1,pg-2;Database=store"), ("DEFAULTCONSISTENCY", "strong"), ("probeInterval", "00:00:00.050"),
            ("ProbeTimeout", "00:00:02"), ("Balancing", "roundrobin"), ("Zone", "eu-1a"), ("PrimaryReadWeight", "0.5"));

        options.Nodes.Keys.ShouldBe(["pg-1", "pg-2"]);
        (options.DefaultConsistency, options.ProbeInterval, options.ProbeTimeout, options.Balancing, options.Zone,
            options.PrimaryReadWeight)
            .ShouldBe((Consistency.Strong, TimeSpan.FromMilliseconds(50), TimeSpan.FromSeconds(2), BalancingPolicy.RoundRobin, "eu-1a",
                0.5));
    }

    [Fact]
    public void Omitted_settings_have_their_defaults()
    {
        var options = Read(("Nodes:pg-1", "Host=pg-1"));

        (options.DefaultConsistency, options.ProbeInterval, options.ProbeTimeout, options.Balancing, options.Zone,
            options.PrimaryReadWeight)
            .ShouldBe((Consistency.Session, TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(750),
                BalancingPolicy.PowerOfTwoChoices, null, 0));
        options.Nodes["pg-1"].Weight.ShouldBe(1);
    }

    [Fact]
    public void Environment_variables_name_settings_with_two_underscores()
    {
        // A separate prefix, so that other tests are not affected.
        Environment.SetEnvironmentVariable("TIDEMARKTEST_Tidemark__Nodes__pg-1", "Host=pg-1");
        Environment.SetEnvironmentVariable("TIDEMARKTEST_TIDEMARK__NODES__PG-1__WEIGHT", "3");
        var configuration = new ConfigurationBuilder().AddEnvironmentVariables("TIDEMARKTEST_").Build();
        var options = new TidemarkOptions();
        TidemarkOptionsReader.Read(configuration.GetSection("Tidemark"), options);

        (options.Nodes["pg-1"].ConnectionString, options.Nodes["pg-1"].Weight).ShouldBe(("Host=pg-1", 3));
    }

    [Fact]
    public void All_errors_are_reported_at_once()
    {
        var errors = ErrorsOf(
            ("Nodes:pg-1:ConnectionString", "Host=a;Port=x"),
            ("Nodes:pg-1:Weight", "heavy"),
            ("Nodes:pg-2", ""),
            ("Nodes:pg-3:ConnectionString", "Host=c;Database=store"),
            ("Nodes:pg-3:Weight", "0"),
            ("Nodes:pg-3:MaxPoolSize", "many"),
            ("Nodes:pg-3:ConnectionLifetime", "00:00:00.5"),
            ("Nodes:pg-3:Colour", "green"),
            ("Nodes:pg-4", "Host=d;Database=shop"),
            ("ProbeInterval", "soon"),
            ("ProbeTimeout", "00:02:00"),
            ("DefaultConsistency", "Fierce"),
            ("Balancing", "Fair"),
            ("PrimaryReadWeight", "-1"),
            ("ConectionString", "Host=a;Password=hidden"));

        errors.ShouldBe(
            [
                "Tidemark:Balancing is 'Fair'. Use one of PowerOfTwoChoices, RoundRobin, Random.",
                "Tidemark:ConectionString is not a setting of Tidemark. The valid settings are Nodes, ConnectionString, "
                    + "DefaultConsistency, MaxStaleness, ReadWait, MaxWaitingReads, ThrowOnLostWrite, TokenKey, TokenLifetime, "
                    + "ProbeInterval, ProbeTimeout, Balancing, Zone, SystemIdentifier, PrimaryReadWeight, TrackedQueries, "
                    + "SlowReadThreshold.",
                "Tidemark:DefaultConsistency is 'Fierce'. Use one of Strong, Session, ReadYourWrites, MonotonicReads, "
                    + "BoundedStaleness(00:01:00), Eventual; any but BoundedStaleness may be followed by a maximum staleness of at "
                    + "least ProbeInterval, such as Session within 00:00:30.",
                "Tidemark:Nodes:pg-1:ConnectionString cannot be read: its value for 'Port' cannot be read. Write "
                    + "Host=pg-1;Database=store;Username=store or postgres://store@pg-1/store.",
                "Tidemark:Nodes:pg-1:Weight is 'heavy'. Use a number greater than 0, at most 1,000 (to exclude a node, remove it).",
                "Tidemark:Nodes:pg-2:ConnectionString is empty. Write Host=pg-1;Database=store;Username=store or "
                    + "postgres://store@pg-1/store.",
                "Tidemark:Nodes:pg-3:Colour is not a setting of Tidemark. The valid settings are ConnectionString, Weight, Zone, "
                    + "MaxPoolSize, ConnectionLifetime.",
                "Tidemark:Nodes:pg-3:ConnectionLifetime is '00:00:00.5000000'. Use a time of at least 1 second, such as 00:30:00.",
                "Tidemark:Nodes:pg-3:MaxPoolSize is 'many'. Use a number of connections from 1 to 10,000.",
                "Tidemark:Nodes:pg-3:Weight is '0'. Use a number greater than 0, at most 1,000 (to exclude a node, remove it).",
                "Tidemark:Nodes use several databases: shop, store. Replicas have the primary's databases: use the same one on each "
                    + "node.",
                "Tidemark:PrimaryReadWeight is '-1'. Use a number from 0 (only when no replica can serve) to 1,000.",
                "Tidemark:ProbeInterval is 'soon'. Use a time from 10 ms to 1 minute, such as 00:00:00.100.",
                "Tidemark:ProbeTimeout is '00:02:00'. Use a time from 10 ms to 1 minute, such as 00:00:00.750.",
            ],
            ignoreOrder: true);
    }

    [Theory]
    [InlineData("Target Session Attributes=primary", "Tidemark:Nodes:pg-1:ConnectionString sets Target Session Attributes. Remove it")]
    [InlineData("Load Balance Hosts=true", "Tidemark:Nodes:pg-1:ConnectionString sets Load Balance Hosts. Remove it")]
    [InlineData("Multiplexing=true", "Tidemark:Nodes:pg-1:ConnectionString sets Multiplexing. Remove it")]
    public void A_connection_string_must_not_set_what_Tidemark_does_itself(string setting, string error) =>
        ErrorsOf(("Nodes:pg-1", $"Host=a;{setting}")).ShouldHaveSingleItem().ShouldStartWith(error);

    [Fact]
    public void A_node_must_have_exactly_one_host() =>
        ErrorsOf(("Nodes:pg-1", "Host=a,b")).ShouldHaveSingleItem().ShouldStartWith("Tidemark:Nodes:pg-1:ConnectionString names 2 hosts.");

    [Fact]
    public void A_cluster_without_nodes_and_one_with_too_many_are_refused()
    {
        ErrorsOf().ShouldHaveSingleItem().ShouldStartWith("Tidemark:Nodes is '0'. A cluster has 1 to 64 nodes");
        ErrorsOf([.. Enumerable.Range(1, 65).Select(n => ($"Nodes:pg-{n}", (string?)$"Host=pg-{n}"))])
            .ShouldHaveSingleItem().ShouldStartWith("Tidemark:Nodes is '65'.");
    }

    [Fact]
    public void A_node_that_is_configured_twice_is_rejected() =>
        ErrorsOf(("ConnectionString", "Host=pg-1,pg-2"), ("Nodes:PG-1", "Host=pg-1"))
            .ShouldHaveSingleItem().ShouldBe("Tidemark:Nodes:PG-1 is a second node with that name. Names are case-insensitive; give each "
                + "node its own.");

    [Fact]
    public void A_node_without_a_database_uses_the_name_of_its_user() =>
        ErrorsOf(("Nodes:pg-1", "Host=a;Database=store;Username=app"), ("Nodes:pg-2", "Host=b;Username=app"))
            .ShouldHaveSingleItem().ShouldStartWith("Tidemark:Nodes use several databases: app, store.");

    [Fact]
    public void An_error_does_not_contain_the_password() =>
        ErrorsOf(("Nodes:pg-1", "Host=a,b;Password=zebra;Multiplexing=true"), ("Nodes:pg-2", "Host=a;Password=zebra;quagga=1"),
            ("ConnectionString", "Password=zebra"), ("Conn", "zebra"))
            .ShouldAllBe(error => !error.Contains("zebra", StringComparison.Ordinal)
                && !error.Contains("quagga", StringComparison.Ordinal));

    [Fact]
    public void The_settings_of_consistency_are_read()
    {
        var options = Read(
            ("Nodes:pg-1", "Host=pg-1"), ("DefaultConsistency", "session within 00:00:30"), ("MaxStaleness", "00:01:00"),
                ("ReadWait", "00:00:00.020"),
            ("MaxWaitingReads", "50"), ("ThrowOnLostWrite", "true"), ("TokenKey", new string('k', 32)), ("TokenLifetime", "00:10:00"));

        (options.DefaultConsistency, options.MaxStaleness, options.ReadWait, options.MaxWaitingReads, options.ThrowOnLostWrite,
            options.TokenKey, options.TokenLifetime)
            .ShouldBe((Consistency.Session.Within(TimeSpan.FromSeconds(30)), TimeSpan.FromMinutes(1), TimeSpan.FromMilliseconds(20), 50,
                true, new string('k', 32), TimeSpan.FromMinutes(10)));
    }

    [Theory]
    [InlineData("MaxStaleness", "00:00:00.099",
        "Tidemark:MaxStaleness is '00:00:00.0990000'. Staleness is measured by probes: use at least ProbeInterval (00:00:00.1000000)")]
    [InlineData("MaxStaleness", "-00:00:01", "Tidemark:MaxStaleness is '-00:00:01'.")]
    [InlineData("MaxStaleness", "soon", "Tidemark:MaxStaleness is 'soon'. Use a time of at least ProbeInterval, such as 00:00:30.")]
    [InlineData("DefaultConsistency", "BoundedStaleness(00:00:00.001)",
        "Tidemark:DefaultConsistency is '00:00:00.0010000'. Staleness is measured by probes")]
    [InlineData("DefaultConsistency", "Strong within 00:00:00.001", "Tidemark:DefaultConsistency is '00:00:00.0010000'.")]
    [InlineData("ReadWait", "-00:00:00.001", "Tidemark:ReadWait is '-00:00:00.0010000'. Use a time from 0 (never wait) to 10 seconds")]
    [InlineData("ReadWait", "00:00:10.001", "Tidemark:ReadWait is '00:00:10.0010000'.")]
    [InlineData("TrackedQueries", "Everywhere", "Tidemark:TrackedQueries is 'Everywhere'. Use one of FromPrimary, FromReplicas.")]
    [InlineData("SlowReadThreshold", "00:00:00",
        "Tidemark:SlowReadThreshold is '00:00:00'. Use a time from 1 ms to 1 day, such as 00:00:00.500.")]
    [InlineData("SlowReadThreshold", "2.00:00:00", "Tidemark:SlowReadThreshold is '2.00:00:00'.")]
    [InlineData("SlowReadThreshold", "slow", "Tidemark:SlowReadThreshold is 'slow'. Use a time from 1 ms to 1 day")]
    [InlineData("MaxWaitingReads", "-1", "Tidemark:MaxWaitingReads is '-1'. Use a number from 0 to 1,000,000.")]
    [InlineData("MaxWaitingReads", "1000001", "Tidemark:MaxWaitingReads is '1000001'.")]
    [InlineData("MaxWaitingReads", "many", "Tidemark:MaxWaitingReads is 'many'. Use a number from 0 to 1,000,000.")]
    [InlineData("ThrowOnLostWrite", "perhaps", "Tidemark:ThrowOnLostWrite is 'perhaps'. Use true or false.")]
    [InlineData("TokenKey", "zebra", "Tidemark:TokenKey has 5 characters. Use at least 32 random characters")]
    [InlineData("TokenKey", "", "Tidemark:TokenKey has 0 characters.")]
    [InlineData("TokenLifetime", "00:00:00.999", "Tidemark:TokenLifetime is '00:00:00.9990000'. Use a time from 1 second to 30 days")]
    [InlineData("TokenLifetime", "30.00:00:01", "Tidemark:TokenLifetime is '30.00:00:01'.")]
    public void A_setting_that_is_out_of_bounds_is_rejected(string setting, string value, string error) =>
        ErrorsOf(("Nodes:pg-1", "Host=pg-1"), (setting, value)).ShouldHaveSingleItem().ShouldSatisfyAllConditions(
            e => e.ShouldStartWith(error), e => e.ShouldNotContain("zebra"));

    [Fact]
    public void A_bound_equal_to_the_probe_interval_is_accepted() =>
        Read(("Nodes:pg-1", "Host=pg-1"), ("MaxStaleness", "00:00:00.100")).MaxStaleness.ShouldBe(TimeSpan.FromMilliseconds(100));

    [Fact]
    public void Invalid_weights_are_rejected_in_code_too()
    {
        var options = new TidemarkOptions { PrimaryReadWeight = double.NaN, Balancing = (BalancingPolicy)9 }
            .AddNode("pg-1", new NodeOptions { ConnectionString = "Host=a", Weight = double.PositiveInfinity });

        Should.Throw<OptionsValidationException>(() => TidemarkOptionsValidator.ThrowIfInvalid(options)).Failures.Count().ShouldBe(3);
    }

    private static TidemarkOptions Read(params (string Path, string? Value)[] settings)
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(s => KeyValuePair.Create($"Tidemark:{s.Path}", s.Value)))
            .Build();
        var options = new TidemarkOptions();
        TidemarkOptionsReader.Read(configuration.GetSection("Tidemark"), options);
        TidemarkOptionsValidator.ThrowIfInvalid(options);
        return options;
    }

    private static string[] ErrorsOf(params (string Path, string? Value)[] settings) =>
        [.. Should.Throw<OptionsValidationException>(() => Read(settings)).Failures];
}
