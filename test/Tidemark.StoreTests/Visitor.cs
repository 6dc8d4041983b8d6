using System.Globalization;
using System.Net;

namespace Tidemark;

/// <summary>A browser without a screen: cookies of its own, forms with their tokens, redirects followed at once.</summary>
/// <param name="http">Leads to the store, and follows no redirects.</param>
/// <param name="cookies">Those that it keeps.</param>
internal sealed class Visitor(HttpClient http, CookieContainer cookies) : IDisposable
{
    private string? _token;

    /// <summary>The id of who is signed in.</summary>
    public int User { get; private set; }

    /// <summary>Throws Tidemark's cookie away as soon as it comes, as a browser does that refuses it.</summary>
    public bool RefusesSession { get; init; }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>A visitor over the network.</summary>
    public static Visitor Of(Uri store, bool refusesSession = false)
    {
        var cookies = new CookieContainer();
#pragma warning disable CA2000 // The client disposes of its handler, and the visitor of its client.
        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = cookies }) { BaseAddress = store };
#pragma warning restore CA2000
        return new Visitor(http, cookies) { RefusesSession = refusesSession };
    }

    public async Task<Page> GetAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(http.BaseAddress!, path));
        return await SendAsync(request);
    }

    /// <summary>Sends a form of the page seen last.</summary>
    /// <returns>The page that the redirect leads to; where there is none, the answer itself.</returns>
    public async Task<Page> PostAsync(string path, params (string Name, string Value)[] fields)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(http.BaseAddress!, path));
        request.Content = new FormUrlEncodedContent(fields
            .Append(("__RequestVerificationToken", _token ?? throw new InvalidOperationException("The page seen last has no form.")))
            .Select(field => KeyValuePair.Create(field.Item1, field.Item2)));
        return await SendAsync(request);
    }

    public async Task SignInAsync(int user)
    {
        await GetAsync("/signin");
        (await PostAsync("/signin", ("user", user.ToString(CultureInfo.InvariantCulture)))).FindFault().ShouldBeNull();
        User = user;
    }

    public void Dispose() => http.Dispose();

    private async Task<Page> SendAsync(HttpRequestMessage request)
    {
        using var response = await http.SendAsync(request, Stop);
        if (RefusesSession)
            foreach (var slot in cookies.GetCookies(http.BaseAddress!)
                .Where(c => c.Name.StartsWith(".Tidemark.", StringComparison.Ordinal))) slot.Expired = true;

        if (response is { StatusCode: HttpStatusCode.Redirect, Headers.Location: { } next })
            return await GetAsync(next.OriginalString.Split('#')[0]);

        var page = new Page(request.RequestUri!, response.StatusCode, await response.Content.ReadAsStringAsync(Stop));
        _token = page.Token ?? _token;
        return page;
    }
}
