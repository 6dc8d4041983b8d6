using System.Xml.Linq;
using Tidemark.Verification;

namespace Tidemark;

public sealed class HistoryPageTests
{
    // bob continues the session of alice, and misses a write of carol that alice observed.
    private const string HandedOver = """
        client carol
        write 2 0 5 1 1 100 acknowledged
        commit 1 1 100 1 10
        read 0 7 9 0 replica session - 1:1:100
        hand-over 0 1 10 12
        read 1 14 16 1 replica session - 1:0:0
        """;

    [Fact]
    public void The_page_has_no_external_references()
    {
        var page = Page(HandedOver);
        foreach (var word in new[] { "http:", "https:", "<script", "src=", "@import", "url(" }) page.ShouldNotContain(word);
    }

    [Fact]
    public void The_diagram_of_a_violation_shows_its_clients_operations_and_hand_over()
    {
        var page = Page(HandedOver);
        var picture = Pictures(page).Last();

        Texts(picture, "name").ShouldBe(["carol", "alice", "bob"]);
        picture.Descendants().Count(e => Has(e, "write-bar")).ShouldBe(1);
        picture.Descendants().Count(e => Has(e, "culprit")).ShouldBe(1);
        picture.Descendants().Count(e => Has(e, "hand-over")).ShouldBe(1);
        picture.Descendants().Count(e => Has(e, "required")).ShouldBe(1);
        Texts(picture, "shown").ShouldBe(["k1 v1", "k1 v1", "k1 v0"]);
        page.ShouldContain("bob continues the session of alice");
        page.ShouldContain("version 1 of key 1 had been acknowledged 900 ms earlier");
    }

    [Fact]
    public void A_hand_over_that_is_too_late_to_matter_is_not_drawn()
    {
        var page = Page(HandedOver.Replace("hand-over 0 1 10 12", "hand-over 0 1 13 14\nhand-over 0 1 10 12", StringComparison.Ordinal));
        Pictures(page).Last().Descendants().Count(e => Has(e, "hand-over")).ShouldBe(1);
        page.ShouldContain("as of 1.0000 s");
        page.ShouldNotContain("as of 1.3000 s");
    }

    [Fact]
    public void Lag_is_the_age_of_the_oldest_acknowledged_commit_missing_from_a_read()
    {
        var history = Histories.Of(HandedOver);
        ObservedLag.Of(history, new ReportClock(history)).ShouldBe([new ObservedLag(0, 0.7, 0), new ObservedLag(1, 1.4, 1.4 - 0.5)]);
    }

    [Fact]
    public void Names_and_events_cannot_become_markup()
    {
        var page = Page("client <b>&\nwrite 2 0 5 1 1 100 acknowledged\ncommit 1 1 100 1 10\nread 2 6 8 0 replica session - 1:0:0",
            new HistoryPageOptions
        {
            Title = "<i>", Facts = [KeyValuePair.Create("<i>", "<i>")], Events = [new HistoryPageEvent(TimeSpan.FromSeconds(0.1), "<i>")],
        });
        page.ShouldNotContain("<i>");
        page.ShouldNotContain("<b>&");
        page.ShouldContain("&lt;b&gt;&amp;");
    }

    [Fact]
    public void A_clean_history_and_an_empty_one_are_shown_as_clean()
    {
        Page("write 0 0 5 1 1 100 acknowledged\ncommit 1 1 100 1 10").ShouldContain("<b>Clean.</b>");
        Page("").ShouldContain("<b>Clean.</b>");
    }

    [Fact]
    public void Diagrams_of_simulated_histories_are_well_formed_and_stay_within_their_frames()
    {
        var careless = new SimulationCampaignOptions { Seeds = 12, Arm = RoutingArm.RandomReplica };
        var failing = SimulationCampaign.Run(careless, TestContext.Current.CancellationToken).FailingSeeds;
        failing.Length.ShouldBeGreaterThan(1);
        foreach (var seed in failing.Take(3))
            PicturesStayWithinTheirFrames(SimulatedCluster.Run(new() { Seed = seed.Seed, Arm = careless.Arm }));
    }

    private static void PicturesStayWithinTheirFrames(SimulationRun run)
    {
        var pictures = Pictures(Page(run.History));

        pictures.Count.ShouldBeGreaterThan(3);
        foreach (var rectangle in pictures.SelectMany(picture => picture.Descendants("rect")))
        {
            ((double)rectangle.Attribute("x")! + (double)rectangle.Attribute("width")!).ShouldBeInRange(0, 900);
            ((double)rectangle.Attribute("y")!).ShouldBeGreaterThanOrEqualTo(0);
        }
    }

    private static string Page(string records, HistoryPageOptions? options = null) => Page(Histories.Of(records), options);

    private static string Page(History history, HistoryPageOptions? options = null)
    {
        using var writer = new StringWriter();
        HistoryPage.Write(history, HistoryChecker.Check(history), writer, options);
        return writer.ToString();
    }

    private static List<XElement> Pictures(string page)
    {
        List<XElement> found = [];
        for (var at = page.IndexOf("<svg", StringComparison.Ordinal); at >= 0; at = page.IndexOf("<svg", at + 1, StringComparison.Ordinal))
            found.Add(XElement.Parse(page[at..(page.IndexOf("</svg>", at, StringComparison.Ordinal) + "</svg>".Length)]));
        return found;
    }

    private static bool Has(XElement element, string @class) => $"{(string?)element.Attribute("class")}".Split(' ').Contains(@class);

    private static IEnumerable<string> Texts(XElement picture, string @class) =>
        picture.Descendants("text").Where(text => Has(text, @class)).Select(text => text.Value);
}
