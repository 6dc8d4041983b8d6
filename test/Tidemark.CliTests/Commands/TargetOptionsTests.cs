using System.CommandLine;
using Tidemark.Cli;
using Tidemark.Cli.Targets;

namespace Tidemark;

public sealed class TargetOptionsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("tidemark-targets-").FullName;
    private readonly Dictionary<string, string> _variables = [];

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("Host=pg-1,pg-2;Database=store;Username=app", "pg-1 pg-1:5432 store app", "pg-2 pg-2:5432 store app")]
    [InlineData("postgres://app@pg-1:5433,pg-2/store", "pg-1 pg-1:5433 store app", "pg-2 pg-2:5432 store app")]
    [InlineData("host=pg-1,pg-2 port=5433,5434 dbname=store user=app", "pg-1 pg-1:5433 store app", "pg-2 pg-2:5434 store app")]
    [InlineData("host='pg-1' dbname='my store' user=a\\'b", "pg-1 pg-1:5432 my store a'b")]
    [InlineData("host=127.0.0.1,127.0.0.1 port=1,2 dbname=store user=app", "127.0.0.1:1 127.0.0.1:1 store app",
        "127.0.0.1:2 127.0.0.1:2 store app")]
    public void A_connection_string_can_be_in_Npgsql_URL_or_libpq_format(string text, params string[] nodes) =>
        Find("--connection", text).ShouldBe(nodes);

    [Fact]
    public void Several_connections_are_several_nodes() =>
        Find("--connection", "Host=a;Database=x;Username=u", "--connection", "Host=b;Database=x;Username=u")
            .Select(node => node.Split(' ')[0]).ShouldBe(["a", "b"]);

    [Fact]
    public void Missing_connection_settings_come_from_the_libpq_environment()
    {
        (_variables["PGPORT"], _variables["PGDATABASE"]) = ("6000", "store");

        Find("--connection", "Host=pg-1;Username=app").ShouldBe(["pg-1 pg-1:6000 store app"]);
        Find("--connection", "Host=pg-1:5433,pg-2;Username=app").ShouldBe(["pg-1 pg-1:5433 store app", "pg-2 pg-2:6000 store app"]);
        Find("--connection", "postgres://app@pg-1").ShouldBe(["pg-1 pg-1:5432 store app"]);
        _variables["PGPORT"] = "soon";
        Complaint("--connection", "Host=pg-1").ShouldContain("'Port'");
    }

    [Fact]
    public void The_libpq_environment_can_select_a_server()
    {
        (_variables["PGHOST"], _variables["PGPORT"], _variables["PGDATABASE"], _variables["PGUSER"]) =
            ("pg-7,pg-8", "6000", "store", "app");

        Find().ShouldBe(["pg-7 pg-7:6000 store app", "pg-8 pg-8:6000 store app"]);
    }

    [Fact]
    public void A_service_file_provides_the_host_and_the_other_settings()
    {
        Write(".pg_service.conf",
            "# services\n[other]\nhost=elsewhere\n\n[shop]\nhost=pg-1\nport=5555\ndbname=store\nuser=app\n[last]\nhost=no\n");

        _variables["PGSERVICE"] = "shop";
        Find().ShouldBe(["pg-1 pg-1:5555 store app"]);
        Find("--connection", "service=shop dbname=else").ShouldBe(["pg-1 pg-1:5555 else app"]);
        _variables["PGSERVICE"] = "missing";
        Complaint().ShouldContain("service \"missing\" was not found in " + Path.Combine(_folder, ".pg_service.conf"));
    }

    [Fact]
    public void The_command_line_precedes_the_service_and_the_service_the_environment()
    {
        Write(".pg_service.conf", "[shop]\nhost=pg-1\nport=5555\ndbname=store\n");
        (_variables["PGSERVICE"], _variables["PGHOST"], _variables["PGPORT"], _variables["PGUSER"]) = ("shop", "elsewhere", "6000", "app");

        Find().ShouldBe(["pg-1 pg-1:5555 store app"]);
        Target().Source.ShouldBe("the service shop");
        Find("--connection", "host=pg-2 dbname=other").ShouldBe(["pg-2 pg-2:5555 other app"]);
    }

    [Fact]
    public void A_socket_folder_has_a_port_too()
    {
        (_variables["PGHOST"], _variables["PGPORT"], _variables["PGDATABASE"], _variables["PGUSER"]) =
            ("/var/run/postgresql", "5433", "store", "app");

        Find().ShouldBe(["/var/run/postgresql /var/run/postgresql:5433 store app"]);
        Find("--connection", "host=/run/pg port=5434 dbname=store user=app").ShouldBe(["/run/pg /run/pg:5434 store app"]);
    }

    [Fact]
    public void A_hostaddr_is_rejected_because_it_would_override_the_host()
    {
        Complaint("--connection", "host=pg-1 hostaddr=10.0.0.7").ShouldContain("'hostaddr' is not supported: give the address as 'host'");
        (_variables["PGSERVICE"], _variables["PGHOSTADDR"]) = ("shop", "10.0.0.7");
        Write(".pg_service.conf", "[shop]\ndbname=store\n");
        Complaint().ShouldContain("PGHOSTADDR is not supported: give the address as PGHOST");
    }

    [Fact]
    public void A_semicolon_does_not_turn_libpq_pairs_into_a_host()
    {
        var complaint = Complaint("--connection", "Application Name=x;host=pg-1 user=app password=s3cret;");
        complaint.ShouldContain("a host in it contains a space or '='");
        complaint.ShouldNotContain("s3cret");
        Target("--connection", "host=pg-1 password='a;b' user=app").Nodes.ShouldHaveSingleItem().Settings.Password.ShouldBe("a;b");
        Find("--connection", "Host=pg-1;Application Name=my shop;Username=app;Database=x").ShouldBe(["pg-1 pg-1:5432 x app"]);
    }

    [Fact]
    public void Without_an_environment_name_it_is_Production()
    {
        Write("appsettings.json", """{ "Tidemark": { "ConnectionString": "Host=development;Database=x" } }""");
        Write("appsettings.Production.json", """{ "Tidemark": { "ConnectionString": "Host=production;Database=x" } }""");

        Find().ShouldHaveSingleItem().ShouldStartWith("production");
    }

    [Theory]
    [InlineData("--config", "Host=a;Password=s3cret")]
    [InlineData("--cluster", "postgres://u:s3cret@h")]
    [InlineData("--interval", "Host=a;Password=s3cret")]
    [InlineData("--json=Host=a;Password=s3cret")]
    [InlineData("--watch=postgres://u:s3cret@h")]
    public async Task A_connection_string_given_to_another_option_is_not_printed(params string[] arguments)
    {
        var ran = await RanCommand.RunAsync(["status", .. arguments]);
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
        (ran.Output + ran.Errors).ShouldNotContain("s3cret");
    }

    [Fact]
    public void The_application_settings_are_read_with_all_settings_of_each_node()
    {
        Write("appsettings.json",
            """{ "Tidemark": { "MaxStaleness": "00:00:30", "Nodes": { "one": "Host=a;Database=x", "two": { "ConnectionString": "Host=b;Database=x", "MaxPoolSize": 7 } } } }""");
        Write("appsettings.Staging.json", """{ "Tidemark": { "Nodes": { "one": "Host=staged;Database=x" } } }""");

        Find().Select(node => node[..9]).ShouldBe(["one a:543", "two b:543"]);
        Target().Options.MaxStaleness.ShouldBe(TimeSpan.FromSeconds(30));
        Target().Options.Nodes["two"].MaxPoolSize.ShouldBe(7);
        Target().Source.ShouldBe("appsettings.json");

        _variables["DOTNET_ENVIRONMENT"] = "Staging";
        Find()[0].ShouldStartWith("one staged:5432");
        _variables["Tidemark__Nodes__one"] = "Host=c;Database=x";
        Find()[0].ShouldStartWith("one c:5432");
    }

    [Fact]
    public void Environment_variables_alone_can_be_the_settings()
    {
        (_variables["TIDEMARK__NODES__PG1"], _variables["tidemark__nodes__pg1"]) = ("Host=a;Database=x", "Host=a;Database=x");

        Find().ShouldHaveSingleItem().ShouldStartWith("PG1 a:5432");
        Target().Source.ShouldBe("the environment");
    }

    [Fact]
    public void The_settings_can_come_from_another_file_and_section()
    {
        Write("other.json", """{ "Orders": { "ConnectionString": "Host=a,b;Database=x" } }""");

        Find("--config", "other.json", "--section", "Orders").Count.ShouldBe(2);
        Complaint("--config", "other.json").ShouldBe("other.json has no section Tidemark; select another with --section.");
        Complaint("--config", "missing.json").ShouldBe("file missing.json does not exist.");
    }

    [Fact]
    public void The_command_line_overrides_the_application_which_overrides_libpq()
    {
        Write("appsettings.json", """{ "Tidemark": { "ConnectionString": "Host=app;Database=x" } }""");
        _variables["PGHOST"] = "libpq";

        Target().Source.ShouldBe("appsettings.json");
        Find("--connection", "Host=given;Database=x").ShouldHaveSingleItem().ShouldStartWith("given");
    }

    [Fact]
    public void Without_a_selected_cluster_the_error_lists_the_ways_to_select_one() => Complaint().ShouldContain("no cluster is selected. "
        + "Use --connection TEXT");

    [Theory]
    [InlineData("Host=a;Pasword=s3cret")]
    [InlineData("host=a pasword=s3cret")]
    [InlineData("host=a password='s3cret")]
    [InlineData("postgres://u:s3cret/x@a/b")]
    [InlineData("s3cret")]
    [InlineData("Host=a;Port=s3cret")]
    public void An_invalid_connection_string_is_not_printed(string text)
    {
        var complaint = Complaint("--connection", text);
        complaint.ShouldStartWith("--connection");
        complaint.ShouldNotContain("s3cret");
    }

    [Fact]
    public void Invalid_JSON_and_unknown_settings_are_rejected_with_their_location()
    {
        Write("appsettings.json", "{ \"Tidemark\": ");
        Complaint().ShouldStartWith("appsettings.json is not valid JSON");
        Write("appsettings.json", """{ "Tidemark": { "Nodes": { "one": "Host=a;Database=x" }, "MaxStalenes": "1" } }""");
        Complaint().ShouldContain("Tidemark:MaxStalenes is not a setting");
    }

    [Fact]
    public async Task Two_options_that_select_a_cluster_are_rejected()
    {
        var ran = await RanCommand.RunAsync("status", "--connection", "Host=a", "--cluster", "b");
        ran.Errors.ShouldContain("--connection and --cluster cannot be combined");
        ran.ExitCode.ShouldBe(ExitCode.WrongUsage);
    }

    [Fact]
    public async Task A_connection_string_given_as_an_argument_is_not_printed()
    {
        (await RanCommand.RunAsync("status", "Host=a;Password=s3cret")).Errors.ShouldNotContain("s3cret");
        (await RanCommand.RunAsync("postgres://u:s3cret@h")).Errors.ShouldNotContain("s3cret");
    }

    private void Write(string file, string text) => File.WriteAllText(Path.Combine(_folder, file), text);

    private List<string> Find(params string[] arguments) =>
        [.. Target(arguments).Nodes.Select(node => $"{node.Name} {node.Address} {node.Settings.Database} {node.Settings.Username}")];

    private string Complaint(params string[] arguments) => Should.Throw<CommandException>(() => Target(arguments)).Message;

    private ClusterTarget Target(params string[] arguments)
    {
        var options =
            new TargetOptions(
            new TargetEnvironment { Variables = _variables, Directory = _folder, Home = _folder, KeptClusters = () => [] });
        var command = new Command("test");
        options.AddTo(command);
        return options.Find(command.Parse(arguments));
    }
}
