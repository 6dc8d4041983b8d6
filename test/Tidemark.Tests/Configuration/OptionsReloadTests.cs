using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Tidemark;

/// <summary>Options from the framework's services: several configuration steps, and changes while the application runs.</summary>
public sealed class OptionsReloadTests : IAsyncDisposable
{
    private readonly IConfigurationRoot _configuration = new ConfigurationBuilder()
        .AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Tidemark:Nodes:pg-1"] = "Host=127.0.0.1;Port=1;Database=store;Password=zebra",
            ["Tidemark:DefaultConsistency"] = "ReadYourWrites",
        })
        .Build();

    private readonly RecordedLog _log = new();
    private ServiceProvider? _services;

    private IEnumerable<string> Messages => _log.Entries.Select(entry => entry.Text);

    [Fact]
    public void A_configuration_step_adds_to_the_section()
    {
        var source = Build(services => services
            .Configure<TidemarkOptions>(options => options.AddNode("pg-2", "Host=127.0.0.1;Port=2;Database=store"))
            .PostConfigure<TidemarkOptions>(options => options.DefaultConsistency = Consistency.Strong));

        source.Nodes.Select(node => node.Name).ShouldBe(["pg-1", "pg-2"]);
        source.Effective(null).ShouldBe(Consistency.Strong);
    }

    [Fact]
    public void A_reload_changes_what_reads_must_include()
    {
        var source = Build();
        source.Effective(null).ShouldBe(Consistency.ReadYourWrites);

        Change(("DefaultConsistency", "Strong"), ("MaxStaleness", "00:00:30"));

        source.Effective(null).ShouldBe(Consistency.Strong.Within(TimeSpan.FromSeconds(30)));
        Messages.ShouldContain("Options reloaded: DefaultConsistency, MaxStaleness");
    }

    [Fact]
    public void A_reload_without_a_change_logs_nothing()
    {
        _ = Build();
        Change();

        Messages.ShouldNotContain(message => message.Contains("ptions", StringComparison.Ordinal));
    }

    [Fact]
    public void A_changed_node_requires_a_restart_and_the_rest_is_applied()
    {
        var source = Build();

        Change(("Nodes:pg-2", "Host=127.0.0.1;Port=2;Database=store"), ("ProbeInterval", "00:00:01"), ("MaxStaleness", "00:00:30"));

        source.Nodes.ShouldHaveSingleItem();
        source.Effective(null).ShouldBe(Consistency.ReadYourWrites.Within(TimeSpan.FromSeconds(30)));
        Messages.ShouldContain("Changed options that require a restart are ignored: Nodes, ProbeInterval");
    }

    [Fact]
    public void Options_that_became_invalid_leave_the_previous_ones_in_effect()
    {
        var source = Build();

        Change(("DefaultConsistency", "Fierce"), ("MaxStaleness", "00:00:30"), ("Nodes:pg-1", "Host=a,b;Password=zebra"));

        source.Effective(null).ShouldBe(Consistency.ReadYourWrites);
        var message = Messages.Single(m => m.StartsWith("Changed options are invalid", StringComparison.Ordinal));
        message.ShouldContain("Tidemark:DefaultConsistency is 'Fierce'.");
        message.ShouldContain("Tidemark:Nodes:pg-1:ConnectionString names 2 hosts.");
        message.ShouldNotContain("zebra");
    }

    [Fact]
    public void A_failing_configuration_step_leaves_the_previous_options_in_effect()
    {
        var isBroken = false;
        var source = Build(services => services.Configure<TidemarkOptions>(_ =>
        {
            if (isBroken) throw new InvalidOperationException("no vault");
        }));
        isBroken = true;

        Change(("DefaultConsistency", "Strong"));

        source.Effective(null).ShouldBe(Consistency.ReadYourWrites);
        Messages.ShouldContain("Changed options are invalid, so the previous ones stay in effect: no vault");
    }

    [Fact]
    public void Options_changed_in_code_after_the_build_have_no_effect()
    {
        var builder = new TidemarkDataSourceBuilder().AddNode("pg-1", "Host=127.0.0.1;Port=1;Database=store");
        using var source = builder.Build();

        builder.Options.DefaultConsistency = Consistency.Strong;

        source.Effective(null).ShouldBe(Consistency.Session);
    }

    [Fact]
    public void Each_option_is_declared_and_a_copy_has_all_of_them()
    {
        var ofCluster = typeof(TidemarkOptions).GetProperties().Where(p => p.CanWrite).Select(p => p.Name);
        OptionDeclarations.OfCluster.Select(option => option.Name).ShouldBe(ofCluster, ignoreOrder: true);
        OptionDeclarations.OfNode.Select(option => option.Name).Append("ConnectionString")
            .ShouldBe(typeof(NodeOptions).GetProperties().Select(p => p.Name), ignoreOrder: true);
        foreach (var option in OptionDeclarations.OfCluster) option.IsValid(new TidemarkOptions()).ShouldBeTrue(option.Name);
        foreach (var option in OptionDeclarations.OfNode) option.IsValid(new NodeOptions()).ShouldBeTrue(option.Name);

        var options = new TidemarkOptions().AddNode("pg-1", new NodeOptions { ConnectionString = "Host=a", Weight = 3, Zone = "b" });
        foreach (var property in typeof(TidemarkOptions).GetProperties().Where(p => p.CanWrite))
            property.SetValue(options, Other(property.PropertyType));
        var copy = new LiveOptions(options).Current;
        foreach (var property in typeof(TidemarkOptions).GetProperties().Where(p => p.CanWrite))
            property.GetValue(copy).ShouldBe(property.GetValue(options), property.Name);
        (copy.Nodes["pg-1"].ConnectionString, copy.Nodes["pg-1"].Weight, copy.Nodes["pg-1"].Zone).ShouldBe(("Host=a", 3, "b"));
        copy.Nodes["pg-1"].ShouldNotBeSameAs(options.Nodes["pg-1"]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_services is not null) await _services.DisposeAsync();
        _log.Dispose();
    }

    /// <summary>A value that no option has by default.</summary>
    private static object Other(Type type) => (Nullable.GetUnderlyingType(type) ?? type) switch
    {
        { IsEnum: true } choice => Enum.ToObject(choice, 1),
        var t when t == typeof(TimeSpan) => TimeSpan.FromSeconds(7),
        var t when t == typeof(Consistency) => Consistency.Strong,
        var t when t == typeof(string) => "other",
        var t when t == typeof(bool) => true,
        var t => Convert.ChangeType(7, t, null),
    };

    private TidemarkDataSource Build(Action<IServiceCollection>? configure = null)
    {
        var services = new ServiceCollection().AddSingleton<ILoggerFactory>(_log);
        services.AddTidemark(_configuration.GetSection("Tidemark"));
        configure?.Invoke(services);
        _services = services.BuildServiceProvider();
        return _services.GetRequiredService<TidemarkDataSource>();
    }

    private void Change(params (string Path, string Value)[] settings)
    {
        foreach (var (path, value) in settings) _configuration[$"Tidemark:{path}"] = value;
        _configuration.Reload();
    }
}
