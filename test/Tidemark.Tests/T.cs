namespace Tidemark;
public class T { [Fact] public void A() => true.ShouldBeTrue(); }
