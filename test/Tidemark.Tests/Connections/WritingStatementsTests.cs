namespace Tidemark;

public sealed class WritingStatementsTests
{
    private readonly WritingStatements _statements = new();

    [Fact]
    public void A_statement_is_known_by_its_text_once_it_was_noted()
    {
        _statements.Contains("SELECT 1").ShouldBeFalse();
        _statements.Note("SELECT 1");
        _statements.Contains("SELECT 1").ShouldBeTrue();
        _statements.Contains("select 1").ShouldBeFalse();
        _statements.Contains(null).ShouldBeFalse();
    }

    [Fact]
    public void Of_more_than_there_is_room_for_the_one_noted_longest_ago_is_forgotten()
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
