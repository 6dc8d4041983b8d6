using System.Globalization;
using System.Net;

namespace Tidemark;

/// <summary>A headless browser with its own cookies. It sends form tokens and follows redirects.</summary>
/// <param name="http">A client for the store that does not follow redirects.</param>
/// <param name="cookies">The cookies of the client.</param>
internal sealed class Visitor(HttpClient http, CookieContainer cookies) : IDisposable
{
    private string? _token;

    /// <summary>The id of the signed-in user.</summary>
    public int User { get; private set; }

    /// <summary>If <c>true</c>, discards Tidemark's cookie, as a browser that rejects it.</summary>
    public bool RefusesSession { get; init; }

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>Creates a visitor of the store at this address.</summary>
    public static Visitor Of(Uri store, bool refusesSession = false)
    {
        var cookies = new CookieContainer();
#pragma warning disable CA2000 // The client disposes its handler, and the visitor disposes its client.
        var http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, CookieContainer = cookies }) { BaseAddress = store };
#pragma warning restore CA2000
        return new Visitor(http, cookies) { RefusesSession = refusesSession };
    }

    public async Task<Page> GetAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(http.BaseAddress!, path));
        return await SendAsync(request);
    }

    /// <summary>Submits a form of the last page.</summary>
    /// <returns>The page after the redirect, or the response itself if it is not a redirect.</returns>
    public async Task<Page> PostAsync(string path, params (string Name, string Value)[] fields)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(http.BaseAddress!, path));
        request.Content = new FormUrlEncodedContent(fields
            .Append(("__RequestVerificationToken", _token ?? throw new InvalidOperationException("The last page has no form.")))
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
