using System.Security.Cryptography;
using System.Text;

namespace Tidemark.Mutations;

/// <summary>One change of one source file that a test should detect.</summary>
/// <param name="File">The path below <c>src/Tidemark</c>.</param>
/// <param name="Member">The method or property that changes.</param>
/// <param name="Line">The line, for display only. It is not part of the identity.</param>
/// <param name="Change">What is replaced by what; unique within the member.</param>
/// <param name="Source">The whole text of the file after the change.</param>
internal sealed record Mutant(string File, string Member, int Line, string Change, string Source)
{
    /// <summary>Names the mutant across runs, and in the list of equivalents. Moving code to other lines does not change it.</summary>
    public string Id => $"{Path.GetFileName(File)} {Member}: {Change}";

    /// <summary>A number that orders mutants the same way in every run, without regard to where they are in the source.</summary>
    public string Rank => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(Id)));
}
