namespace Tidemark;

public sealed class ConnectionTextTests
{
    public static TheoryData<string, string[]> Hosts => new()
    {
        { "Host=pg-1", ["pg-1:5432"] },
        { "Server=pg-1;Port=6000", ["pg-1:6000"] },
        { "Host=pg-1,pg-2", ["pg-1:5432", "pg-2:5432"] },
        { "Host=pg-1:1, pg-2:2 ,pg-3;Port=6000", ["pg-1:1", "pg-2:2", "pg-3:6000"] },
        { "Host=/var/run/postgresql", ["/var/run/postgresql:5432"] },
        { "Host=::1", ["::1:5432"] },
        { "Host=[::1]:6000,[fe80::2]:6001", ["::1:6000", "fe80::2:6001"] },
        { "postgres://pg-1", ["pg-1:5432"] },
        { "POSTGRESQL://pg-1/store", ["pg-1:5432"] },
        { "postgresql://u:p@pg-1:6000/store", ["pg-1:6000"] },
        { "postgres://u@pg-1,pg-2:6001/store", ["pg-1:5432", "pg-2:6001"] },
        { "postgres://u@[::1]:6000/store", ["::1:6000"] },
        { "postgres://u@[::1]/store", ["::1:5432"] },
        { "postgres://u@%2Fvar%2Frun%2Fpostgresql/store", ["/var/run/postgresql:5432"] },
        { "postgres:///store?host=/tmp&port=6000", ["/tmp:6000"] },
    };

    [Theory]
    [MemberData(nameof(Hosts))]
    public void Each_host_of_either_form_is_found_with_its_port(string text, string[] hosts) =>
        ConnectionText.Parse(text).Select(h => $"{h.Host}:{h.Port}").ShouldBe(hosts);

    [Fact]
    public void Shared_settings_apply_to_each_host()
    {
        foreach (var host in ConnectionText.Parse("Host=a,b;Database=store;Username=u;Password=\"se;c=ret'\";Timeout=3"))
            (host.Database, host.Username, host.Password, host.Timeout).ShouldBe(("store", "u", "se;c=ret'", 3));
    }

    [Fact]
    public void A_url_is_percent_decoded()
    {
        var host = ConnectionText.Parse("postgres://us%40er:p%3A%2F%3F%40%20w@pg-1/my%20store").Single();

        (host.Host, host.Username, host.Password, host.Database).ShouldBe(("pg-1", "us@er", "p:/?@ w", "my store"));
    }

    [Fact]
    public void A_password_in_a_url_may_contain_an_unescaped_at_sign_and_colon()
    {
        var host = ConnectionText.Parse("postgres://u:p@s:s@pg-1/store").Single();

        (host.Host, host.Password).ShouldBe(("pg-1", "p@s:s"));
    }

    [Theory]
    [InlineData("sslmode=verify-full", "VerifyFull")]
    [InlineData("SSLMODE=require", "Require")]
    [InlineData("sslmode=disable", "Disable")]
    public void The_ssl_modes_of_libpq_are_supported(string parameter, string mode) =>
        ConnectionText.Parse($"postgres://pg-1/store?{parameter}").Single().SslMode.ToString().ShouldBe(mode);

    [Fact]
    public void The_parameters_of_libpq_and_of_Npgsql_are_supported()
    {
        var host = ConnectionText.Parse(
            "postgres://pg-1?dbname=store&user=u&application_name=my%20shop&connect_timeout=7&target_session_attrs=read-write"
            + "&Maximum%20Pool%20Size=9").Single();

        (host.Database, host.Username, host.ApplicationName, host.Timeout, host.TargetSessionAttributes, host.MaxPoolSize)
            .ShouldBe(("store", "u", "my shop", 7, "read-write", 9));
    }

    [Theory]
    [InlineData("Database=store", "it does not contain a host")]
    [InlineData("postgres:///store", "it does not contain a host")]
    [InlineData("Host=a,,b", "empty entry")]
    [InlineData("Host=a:0", "its port is not a number from 1 to 65535")]
    [InlineData("postgres://a:65536/store", "its port is not a number from 1 to 65535")]
    [InlineData("Host=a;Port=many", "its value for 'Port' cannot be read")]
    [InlineData("Host=a;Hots=b", "keyword 2 is not supported by Npgsql")]
    [InlineData("Host=a;Password=x;y=z", "quote a password that contains a semicolon")]
    [InlineData("pg-1", "neither a list")]
    [InlineData("postgres://a?sslmode=perhaps", "its parameter 'sslmode'")]
    [InlineData("postgres://u:p/w@a/store", "%2F")]
    [InlineData("postgres://u:12?w@a/store", "%3F")]
    public void An_invalid_text_is_rejected_with_the_problem(string text, string problem) =>
        Should.Throw<FormatException>(() => ConnectionText.Parse(text)).Message.ShouldContain(problem);

    [Fact]
    public void An_error_never_contains_any_part_of_a_password()
    {
        // Every piece of the secret is a word that occurs nowhere else. Characters that break the parser separate the pieces.
        string[] breakers =
            [";", "=", ";x", "'", "\"", "\";", "';", "/", "?", "@", ":", ",", "&", "%", "#", " ", ";;", "=;", "\n", "@/?", ";Port=",
            "&port="];
        string[] frames =
        [
            "Host=a;Password={0}", "Host=a;Password={0};Timeout=never", "Password={0};Hots=b", "Host=a;Pwd={0}", "Host=a;PASSWORD='{0}",
            "Host=a;Password=\"{0}", "Host=a;{0}", "{0}", "Host=a;{0}=", "Host=a;Username={0};Port=x", "Password={0}",
            "Host=a;Passwort={0}", "postgres://u:{0}@a/store", "postgres://u:{0}@a:x/store", "postgres://u:{0}@a/store?sslmode=x",
            "postgres://{0}", "postgres://u:1{0}@a:0/store", "postgres://a/store?password={0}",
            "postgres://a/store?password={0}&sslmode=x", "postgres://a/store?{0}", "postgres://u:{0}@", "postgres://u:{0}@,/x",
        ];
        var refused = 0;
        foreach (var frame in frames)
        {
            foreach (var one in breakers)
            {
                foreach (var two in breakers)
                {
                    var text = string.Format(null, frame, $"7Zebra{one}9Quagga{two}4Okapi");
                    if (ErrorOf(text) is not { } error) continue;
                    refused++;
                    foreach (var piece in new[] { "Zebra", "Quagga", "Okapi" }) error.ShouldNotContain(piece, customMessage: text);
                }
            }
        }

        refused.ShouldBeGreaterThan(1_000, "otherwise nothing was tested");
    }

    [Fact]
    public void Hosts_of_one_string_become_nodes_with_their_names()
    {
        var options = new TidemarkOptions().AddNodes("Host=pg-1,pg-2:6000,PG-2:6001;Database=store");

        options.Nodes.Keys.ShouldBe(["pg-1", "pg-2:6000", "PG-2:6001"]);
        ConnectionText.Parse(options.Nodes["PG-1"].ConnectionString).Single().Database.ShouldBe("store");
    }

    [Fact]
    public void A_host_that_is_listed_twice_is_rejected() =>
        Should.Throw<ArgumentException>(() => new TidemarkOptions().AddNodes("Host=pg-1,pg-1"))
            .Message.ShouldContain("A node named 'pg-1:5432' already exists");

    [Fact]
    public void Two_nodes_whose_names_differ_only_in_case_are_rejected() =>
        Should.Throw<ArgumentException>(() => new TidemarkOptions().AddNode("pg-1", "Host=a").AddNode("PG-1", "Host=b"))
            .Message.ShouldContain("case-insensitive");

    private static string? ErrorOf(string text)
    {
        try
        {
            ConnectionText.Parse(text);
            return null;
        }
        catch (FormatException e)
        {
            return e.ToString();
        }
    }
}
