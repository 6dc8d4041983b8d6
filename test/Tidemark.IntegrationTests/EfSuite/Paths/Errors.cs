namespace Tidemark.EfSuite;

/// <summary>Errors as text, so that they can be compared.</summary>
internal static class Errors
{
    public static async Task<string> OfAsync(Func<Task> act)
    {
        try
        {
            await act();
            return "no error";
        }
        catch (Exception e) when (Find<RoutingException>(e) is null)
        {
            return Describe(e);
        }
    }

    public static string Describe(Exception e) =>
        $"{e.GetType()}: {e.Message}" + (e.InnerException is { } inner ? $"\n<- {Describe(inner)}" : "");

    public static T? Find<T>(Exception? e)
        where T : Exception => e is null or T ? (T?)e : Find<T>(e.InnerException);
}
