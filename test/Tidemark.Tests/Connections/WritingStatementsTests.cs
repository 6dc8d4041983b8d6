namespace Tidemark;

public sealed class WritingStatementsTests
{
    private readonly WritingStatements _statements = new();

    [Fact]
    public void A_statement_is_recognized_by_its_text()
    {
        _statements.Contains("SELECT 1").ShouldBeFalse();
        _statements.Note("SELECT 1");
        _statements.Contains("SELECT 1").ShouldBeTrue();
        _statements.Contains("select 1").ShouldBeFalse();
        _statements.Contains(null).ShouldBeFalse();
    }

    [Fact]
    public void A_full_list_discards_the_text_that_was_recorded_longest_ago()
    {
        for (var i = 0; i <= WritingStatements.MaxStatements; i++)
        {
            _statements.Note($"SELECT {i}");
            _statements.Note("SELECT 1");
        }

        _statements.Contains("SELECT 0").ShouldBeFalse();
        _statements.Contains("SELECT 1").ShouldBeTrue();
        _statements.Contains($"SELECT {WritingStatements.MaxStatements}").ShouldBeTrue();
    }

    [Fact]
    public void A_text_that_is_too_long_is_not_kept()
    {
        var text = new string('x', WritingStatements.MaxLength + 1);
        _statements.Note(text);
        _statements.Contains(text).ShouldBeFalse();
        _statements.Note(text[1..]);
        _statements.Contains(text[1..]).ShouldBeTrue();
    }
}
